"""Who may talk to the engine, and what each connection is: pure bookkeeping.

An instance is admitted by the token that the supervisor announced before the instance was born. The
name of its connection is ``ID:GENERATION``; whatever a message says about its sender is not read.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from bus import topics
from bus.messages import CellStats, Pause, Resume
from supervisor.control import Attach


@dataclass(slots=True)
class Member:
    """One attached instance. ``base`` ticks of its symbols were published before its data began."""

    attach: Attach
    base: int = 0
    running: bool = False
    early: int = 0
    """Reports that came before it said that it runs, and were not taken."""
    welcomed: bool = False
    directed: Pause | Resume | None = None
    """What the supervisor directed last: said again once it runs, for what is said before is not heard."""
    held: bool = False
    """Whether it was welcomed with a state that is of a paused strategy, and so is paused."""
    loaded: int = 0
    """The checkpoint with which it was welcomed, by its number in the journal; 0 for none."""
    objection: str = ""
    """Why the last checkpoint that it sent is not kept; empty, it is."""
    refused: bool = False
    """It said that this one does not load."""
    stats: CellStats = field(default_factory=CellStats)
    topics: frozenset[bytes] = frozenset()
    """What it subscribes to, besides the feeds' health."""

    def __post_init__(self) -> None:
        """Derive its topics."""
        per_symbol = [make(symbol) for symbol in self.attach.symbols for make in (topics.tick, topics.candle)]
        self.topics = frozenset([topics.cell(self.attach.deployment_id), topics.PULSE, *per_symbol])

    def reads(self, topic: bytes) -> bool:
        """Whether a message of this topic is for it."""
        return topic in self.topics or topic.startswith(topics.FEEDS)

    @property
    def deployment_id(self) -> str:
        """Id of the deployment."""
        return self.attach.deployment_id

    @property
    def generation(self) -> int:
        """Generation of the instance."""
        return self.attach.generation


class Roster:
    """The attached instances by the name of their connection."""

    def __init__(self) -> None:
        self._by_user: dict[str, Member] = {}
        self._by_id: dict[str, Member] = {}

    def members(self) -> list[Member]:
        """Every attached instance."""
        return list(self._by_id.values())

    def attach(self, attach: Attach) -> Member | None:
        """Take in an instance; return the older one of the same deployment that it fences out."""
        fenced = self._by_id.get(attach.deployment_id)
        if fenced is not None:
            del self._by_user[_user(fenced.attach)]
        member = Member(attach)
        self._by_id[attach.deployment_id] = member
        self._by_user[_user(attach)] = member
        return fenced

    def detach(self, deployment_id: str, generation: int) -> Member | None:
        """Let an instance go; None if it is not (or no longer) the one attached."""
        member = self._by_id.get(deployment_id)
        if member is None or member.generation != generation:
            return None
        del self._by_id[deployment_id]
        del self._by_user[_user(member.attach)]
        return member

    def find(self, deployment_id: str, generation: int) -> Member | None:
        """Return the instance if it is the current one."""
        member = self._by_id.get(deployment_id)
        return member if member is not None and member.generation == generation else None

    def current(self, deployment_id: str) -> Member | None:
        """Return the attached instance of a deployment."""
        return self._by_id.get(deployment_id)

    def by_user(self, user: str) -> Member | None:
        """Return the instance behind a connection."""
        return self._by_user.get(user)

    def admits(self, user: str, token: str) -> bool:
        """Whether a connection may be made under this name. Compared in constant time."""
        member = self._by_user.get(user)
        return member is not None and hmac.compare_digest(member.attach.token.encode(), token.encode())


def owner_of(user: str) -> tuple[str, int]:
    """Return deployment and generation of a connection that was admitted."""
    deployment_id, _, generation = user.rpartition(":")
    return deployment_id, int(generation)


def _user(attach: Attach) -> str:
    return f"{attach.deployment_id}:{attach.generation}"
