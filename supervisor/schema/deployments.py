"""Deployments, and what the verbs did to them."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Any, Literal

from supervisor.schema.base import View
from supervisor.schema.checkpoints import CheckpointsView
from supervisor.schema.pressure import PressureView
from supervisor.schema.problem import Problem
from supervisor.schema.schedules import ScheduleSpec
from supervisor.schema.trading import GuardView, LatchView

State = Literal[
    "registered", "starting", "warming", "running", "paused", "stopping", "stopped", "backoff", "failed",
    "quarantined",
]  # fmt: skip
"""What is: the observed state of a deployment (docs/operations.md has the diagram)."""
Desired = Literal["running", "paused", "stopped"]
"""What is wanted; only an operator's verb changes it."""


class Quota(View):
    """What a deployment may use."""

    memory_mb: float
    cpu: float


class Enforcer(View):
    """Who holds each to its quota: ``cgroup v2``, ``cgroup v1``, or ``rlimit+psutil`` and ``psutil``.

    ``rlimit`` and ``none`` where neither is there and psutil sees no strategy (``hidepid`` of /proc).
    """

    memory: str = "none"
    cpu: str = "none"


class Verdicts(View):
    """Signals of a deployment over its life, by verdict."""

    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    expired: int = 0


class LastDeath(View):
    """How the last instance ended (``sandbox.spec.Cause``), in a row."""

    cause: str
    detail: str = ""
    at: int


class DeploymentRow(View):
    """One deployment, as ``ps`` shows it.

    Counters (``ticks candles gaps stale``) are those of the present instance; ``pid``, ``uptime_s``,
    ``cpu_percent``, ``memory_mb`` and ``lag_ms`` are None while there is none or nothing is known yet.
    """

    id: str
    strategy: str
    version: str
    account: str
    mode: str
    symbols: list[str]
    timeframes: list[str]
    state: State
    desired: Desired
    pid: int | None = None
    generation: int = 0
    restarts: int = 0
    uptime_s: float | None = None
    cpu_percent: float | None = None
    memory_mb: float | None = None
    quota: Quota
    enforcer: Enforcer = Enforcer()
    ticks: int = 0
    candles: int = 0
    gaps: int = 0
    stale: int = 0
    lag_ms: float | None = None
    signals: Verdicts = Verdicts()
    last_death: LastDeath | None = None
    # beyond the contract
    reason: str = ""
    """Why it is in this state: the operator's reason, the rule, or the cause of the last death."""
    trusted: bool = False
    """The operator answers for its code (``start --trust``)."""
    builtin: bool = False
    """Its code was shipped with stratd."""
    conflated: int = 0
    """Ticks left out because it was behind: of each symbol it was handed the newest."""
    checkpoint_age_s: float | None = None
    """Of the newest state that it would start from, None without one."""
    equity: float | None = None
    """In its account's currency, None while a price, a rate or its capital is unknown."""
    latch: LatchView | None = None
    """What bars this deployment by itself; what bars its account is with the account."""
    outside: str = ""
    """``outside its schedule until Mon 09:00 Europe/London``; "" inside, without one, or not wanted."""
    pressure: PressureView | None = None
    """What its strategy waited for in the last seconds, None without a control group of version 2."""


class Death(View):
    """One death with everything known about it. ``peak_memory_mb`` is the largest resident size."""

    cause: str
    detail: str = ""
    at: int
    generation: int
    exit_code: int | None = None
    signal: str | None = None
    stack: str = ""
    log_tail: list[str] = []
    peak_memory_mb: float | None = None
    uptime_s: float | None = None
    last_event: str = ""


class PositionView(View):
    """Signed holding in one symbol, from fills; ``unrealised`` None while no price is known."""

    symbol: str
    quantity: float
    average_price: float
    realised: float
    unrealised: float | None = None
    fees: float = 0.0
    currency: str = ""
    guard: GuardView | None = None


class PackagesView(View):
    """What the lock of a strategy names: ``count`` packages, kept under ``key`` once they are there."""

    key: str
    count: int
    names: list[str] = []
    installed: bool = False


class DeploymentDetail(DeploymentRow):
    """Everything about one deployment (``describe``): the row, its configuration, its last five deaths."""

    code_hash: str = ""
    code_path: str = ""
    parameters: dict[str, Any] = {}
    risk: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    packages: PackagesView | None = None
    """None: its strategy needs none."""
    without: list[str] = []
    """Layers of the sandbox that this host does not give its cell."""
    schedule: ScheduleSpec | None = None
    """When it is to run by the clock, None for always."""
    restart_policy: str = ""
    created_at: int | None = None
    updated_at: int | None = None
    started_at: int | None = None
    next_start_in_s: float | None = None
    published: int = 0
    """Ticks that the engine published for it since the instance began."""
    replayed: int = 0
    """Ticks and candles that came from the tape: after a restart, or because they had not come."""
    refused: int = 0
    errors: int = 0
    slow_calls: int = 0
    longest_call_ms: float = 0.0
    extra_time_s: float = 0.0
    """What is left for ``ctx.request_time``."""
    log_dropped: int = 0
    last_event: str = ""
    checkpoints: CheckpointsView = CheckpointsView()
    positions: list[PositionView] = []
    deaths: list[Death] = []
    """The newest first."""


class Outcome(View):
    """What a verb did to one deployment: ``changed`` False if it was so already."""

    id: str
    state: State | None = None
    changed: bool = False
    problem: Problem | None = None


class ActionResult(View):
    """What a verb did, one entry a deployment, in the order asked."""

    outcomes: list[Outcome] = []


class StartResult(View):
    """Answer to ``start``: the row, and whether it was created and whether anything changed."""

    created: bool
    changed: bool
    deployment: DeploymentRow
