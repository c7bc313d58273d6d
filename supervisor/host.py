"""What every deployment uses of the daemon, in one object that is made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from sandbox.confine.survey import Survey
from sandbox.spec import Budgets, Limits
from strategies.requirements import Lock
from supervisor.cells import Cells
from supervisor.config import Restart
from supervisor.control import EngineReady
from supervisor.enforcers import Enforcers
from supervisor.engine_client import EngineClient
from supervisor.events import EventLog, InDatabase
from supervisor.life import Policy
from supervisor.metrics.totals import Totals
from supervisor.packages.store import PackageStore
from supervisor.quota import Usage
from supervisor.sampler import Sampler
from supervisor.store.deployments import DeploymentStore


class Code(Protocol):
    """What the catalogue knows of a strategy that can be started."""

    @property
    def code_path(self) -> str:
        """Folder or file."""
        ...

    @property
    def stored(self) -> str:
        """Copy of it that cells are shown; "" for where it lies."""
        ...

    @property
    def code_hash(self) -> str:
        """Hash of its content."""
        ...

    @property
    def built_in(self) -> bool:
        """Whether it was shipped with stratd."""
        ...

    @property
    def conflate(self) -> bool:
        """Whether only the newest tick of a symbol counts when it is behind."""
        ...

    @property
    def updatable(self) -> frozenset[str]:
        """Names of the parameters that may change while it runs."""
        ...

    @property
    def warmup(self) -> int:
        """Candles of history that it wants."""
        ...

    @property
    def lock(self) -> Lock | None:
        """Packages that it needs, None for none."""
        ...


@dataclass(kw_only=True)
class Host:
    """The daemon's parts and settings, as a deployment needs them.

    ``limits(memory, cpu)`` and ``usage(memory, cpu)`` make what the kernel and what the sampler hold a cell
    to, bytes and share of a core; ``code(name, version)`` is None for what the catalogue does not have (any
    more), and ``why_not`` says why. ``endpoints`` are those of the last engine that was ready: the next one
    binds the same.
    ``survey`` is what the sandbox gives on this host, taken once when the daemon starts, None before;
    ``require`` names the layers that the configuration demands beyond what a stranger's code needs.
    """

    cells: Cells
    engine: EngineClient
    events: EventLog
    packages: PackageStore
    enforcers: Enforcers
    sampler: Sampler
    store: DeploymentStore
    in_database: InDatabase
    policy: Policy
    budgets: Budgets
    limits: Callable[[int, float], Limits]
    usage: Callable[[int, float], Usage]
    code: Callable[[str, str], Code | None]
    why_not: Callable[[str, str], str]
    endpoints: EngineReady | None = None
    survey: Survey | None = None
    require: tuple[str, ...] = ()
    totals: Totals = field(default_factory=Totals)

    @property
    def may_fork(self) -> bool:
        """Whether nothing keeps a strategy from forking: the list of system calls is what does."""
        layers = self.survey.layers if self.survey else []
        return not any(layer.name == "seccomp" and layer.active for layer in layers)


def policy_of(wanted: Restart) -> Policy:
    """Return the policy of the lifecycle that the ``[restart]`` section says."""
    return Policy(
        restart=wanted.policy,
        delay_base=wanted.delay,
        delay_cap=wanted.max_delay,
        jitter=wanted.jitter,
        max_exits=wanted.max_restarts,
        window=wanted.window,
        stable_time=wanted.stable_time,
        start_timeout=wanted.ready_timeout,
        ask_grace=wanted.stop_timeout,
        terminate_grace=wanted.kill_timeout,
    )
