"""Whether one more may begin: its code, its schedule, slots and memory of the host. A part of ``Verbs``."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from msgspec.structs import replace

from supervisor import life as lf
from supervisor.actor import Actor
from supervisor.admission import Claim, Shortage
from supervisor.configure import Defaults
from supervisor.errors import Refused
from supervisor.host import Host
from supervisor.opt_in import OptIns
from supervisor.quota import Limits, admit
from supervisor.store.tables import Deployment
from supervisor.trust import RULE, objection


class Admission(NamedTuple):
    """Who may start, and with what where the start does not say.

    ``shortage(quota, others)`` says why an instance with ``quota`` bytes does not fit; None: it does.
    """

    limits: Limits
    shortage: Callable[[int, list[Claim]], Shortage | None]
    defaults: Defaults
    opt_ins: OptIns


class Timetable(Protocol):
    """The schedules of the deployments (``scheduling``)."""

    def bars(self, deployment: Deployment) -> bool:
        """Whether no instance of it begins now."""
        ...

    def judge(self, actor: Actor) -> None:
        """Tell it where it stands."""
        ...


class Admitting:
    """Refuses what may not begin, by the rule that forbids it."""

    def __init__(self, actors: dict[str, Actor], host: Host, admission: Admission) -> None:
        self._actors = actors
        self._host = host
        self.admission = admission
        """A reload puts another one here."""
        self.timetable: Timetable | None = None
        """What says who may not begin now; it looks at verbs itself, so it is put here."""
        self.closed = False
        """Set when the daemon stops: from then on nothing is started."""
        self.drained = ""
        """Why nothing is started although the daemon goes on; "" while everything may be."""

    def barred(self, deployment: Deployment) -> bool:
        """Whether its schedule lets no instance of it begin now."""
        return self.timetable is not None and self.timetable.bars(deployment)

    def judge_code(self, wanted: Deployment) -> None:
        """Refuse code that this host could not hold and nobody answers for, or that lacks its packages."""
        code = self._host.code(wanted.strategy, wanted.version)
        if code is None:
            return  # the start itself will fail, and say so
        if why := objection(wanted, code, self._host.survey, self._host.require):
            raise Refused(RULE, why)
        if why := self._host.packages.objection(code.lock):
            raise Refused("packages", f"{wanted.strategy}@{wanted.version}: {why}")

    def admit(self, wanted: Deployment, mine: Actor | None) -> None:
        """Refuse one more where a rule forbids it, or the host cannot hold it."""
        self.admit_slot(wanted.account, mine)
        claims = [
            Claim(actor.deployment.memory, actor.instance.usage.rss if actor.instance else 0)
            for actor in self._actors.values()
            if actor is not mine and actor.holds_slot
        ]
        if shortage := self.admission.shortage(wanted.memory, claims):
            raise Refused(shortage.rule, shortage.detail)

    def admit_slot(self, account: str, mine: Actor | None) -> None:
        """Refuse one more where a rule forbids it."""
        if self.closed:
            raise Refused("stopping", "the daemon is stopping")
        if self.drained:
            raise Refused("drained", self.drained)
        others = [actor for actor in self._actors.values() if actor is not mine and actor.holds_slot]
        # A start still in the queue holds its slot although its life does not show it yet.
        lives = [(actor.deployment.account, replace(actor.life, state=lf.State.STARTING)) for actor in others]
        refusal = admit(account, lives, self.admission.limits)
        if refusal is not None:
            raise Refused(refusal.rule, refusal.detail)
