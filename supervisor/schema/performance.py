"""What came of a deployment: figures, its curve, and what its process takes. None is unknown, never zero."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from supervisor.schema.base import View
from supervisor.schema.deployments import Quota, State, Verdicts


class PerformanceView(View):
    """Figures of one deployment from the fills in the journal, in ``currency``; net of fees.

    ``currency`` None: it traded in several, so no sum of money is known. ``trades`` are executions, ``trips``
    round trips from flat to flat, of which ``wins`` earned and ``losses`` lost. ``win_rate`` is wins by
    trips, ``profit_factor`` what the wins earned by what the losses lost. ``max_drawdown`` is the deepest
    fall of profit from a peak, in money; ``max_drawdown_percent`` of the equity at that peak. ``whole``
    False: the journal no longer has the first fills, and all but ``realised``, ``unrealised`` and ``fees``
    begin at ``since``.
    """

    deployment_id: str
    currency: str | None = None
    capital: float | None = None
    equity: float | None = None
    realised: float | None = None
    unrealised: float | None = None
    fees: float | None = None
    trades: int = 0
    trips: int = 0
    wins: int = 0
    losses: int = 0
    win_rate: float | None = None
    profit_factor: float | None = None
    average_win: float | None = None
    average_loss: float | None = None
    best: float | None = None
    worst: float | None = None
    max_drawdown: float | None = None
    max_drawdown_percent: float | None = None
    since: int | None = None
    until: int | None = None
    whole: bool = True


class EquityPoint(View):
    """After one fill: ``profit`` since the first, and ``equity`` where the capital is known."""

    at: int
    profit: float
    equity: float | None = None


class EquityView(View):
    """The curve of one deployment, marked at its trades: what is held counts at the last price it traded at.

    At most as many points as were asked for: of each stretch the first, the lowest, the highest and the last.
    """

    deployment_id: str
    currency: str | None = None
    capital: float | None = None
    points: list[EquityPoint] = []
    whole: bool = True


class MetricsView(View):
    """What the process of a deployment takes, how far it is behind, and what its warden has counted.

    Counters are those of the present instance; what needs one is None while there is none.
    """

    deployment_id: str
    state: State
    generation: int = 0
    restarts: int = 0
    uptime_s: float | None = None
    cpu_percent: float | None = None
    memory_mb: float | None = None
    peak_memory_mb: float | None = None
    quota: Quota
    lag_ms: float | None = None
    ticks: int = 0
    candles: int = 0
    gaps: int = 0
    stale: int = 0
    conflated: int = 0
    replayed: int = 0
    published: int = 0
    refused: int = 0
    errors: int = 0
    slow_calls: int = 0
    longest_call_ms: float = 0.0
    log_dropped: int = 0
    extra_time_s: float = 0.0
    signals: Verdicts = Verdicts()
    deaths: dict[str, int] = {}
    """Those on record, by cause."""
