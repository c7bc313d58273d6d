"""The daemon, its processes, feeds and catalogue."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Any, Literal

from supervisor.schema.base import View
from supervisor.schema.checks import LayerView, SandboxView
from supervisor.schema.deployments import Verdicts
from supervisor.schema.trading import LatchView


class Health(View):
    """``GET /health``."""

    status: Literal["healthy", "unhealthy"] = "healthy"
    version: str


class ProcessView(View):
    """One process of the daemon: supervisor, engine or zygote."""

    name: str
    pid: int | None = None
    state: str = "running"
    uptime_s: float | None = None
    cpu_percent: float | None = None
    memory_mb: float | None = None
    restarts: int = 0


class FeedView(View):
    """One feed as ``feeds`` shows it. ``rejected`` counts refused frames and ticks by reason.

    ``sequenced`` False: the publisher sends no sequence numbers, so gaps cannot be told.
    """

    name: str
    format: str
    endpoint: str
    mode: str
    state: str
    ticks: int = 0
    bars: int = 0
    heartbeats: int = 0
    gaps: int = 0
    late: int = 0
    duplicates: int = 0
    crossed: int = 0
    """Ticks with a bid above the ask, which are delivered."""
    out_of_session: int = 0
    lag_ms: float | None = None
    last_tick_at: int | None = None
    sequenced: bool = False
    symbols: int = 0
    rejected: dict[str, int] = {}
    ignored: dict[str, int] = {}
    """Frames that are well formed and no market data, by reason."""
    examples: dict[str, str] = {}
    """The last refused frame or tick of each reason, and what was wrong with it."""
    recovered: int = 0
    """Messages that were missed and given again by the publisher."""


class MirrorView(View):
    """The Redis mirror: ``state`` off, ok, lagging or down; ``lag`` counts journal records not there yet."""

    state: str = "off"
    lag: int = 0
    detail: str = ""


class Status(View):
    """``stratd status``: the daemon, its processes, feeds, counts and active layers."""

    version: str
    state: Literal["starting", "running", "stopping", "degraded"]
    pid: int
    host: str
    started_at: int
    uptime_s: float
    processes: list[ProcessView] = []
    feeds: list[FeedView] = []
    deployments: dict[str, int] = {}
    """How many deployments are in each state; states with none are left out."""
    running: int = 0
    max_concurrent: int = 0
    signals: Verdicts = Verdicts()
    latches: list[LatchView] = []
    """What bars accounts and deployments, as far as is known."""
    layers: list[LayerView] = []
    verdict: SandboxView = SandboxView()
    mirror: MirrorView = MirrorView()
    signals_endpoint: str = ""
    """Where accepted signals are published, empty while nowhere."""
    replay_endpoint: str = ""
    """Where missed ones are asked for, empty while nowhere."""
    journal_seq: int = 0
    event_seq: int = 0
    loop_lag_ms: float = 0.0
    state_dir: str = ""
    runtime_dir: str = ""
    config: str = ""
    problems: list[str] = []
    """Sentences about what is not as it should be, empty when all is well."""


class StrategyView(View):
    """One strategy of the catalogue. ``state`` broken: ``errors`` says why, and it cannot be started."""

    name: str
    version: str
    type: str = "custom"
    description: str = ""
    state: Literal["ok", "broken"] = "ok"
    path: str = ""
    code_hash: str = ""
    builtin: bool = False
    parameters: list[dict[str, Any]] = []
    constraints: list[str] = []
    timeframes: list[str] = []
    warmup: int = 0
    deployments: int = 0
    errors: list[str] = []


class RescanResult(View):
    """What changed in the catalogue: ``NAME@VERSION`` each; ``broken`` are folders with their errors."""

    added: list[str] = []
    changed: list[str] = []
    removed: list[str] = []
    broken: dict[str, list[str]] = {}
