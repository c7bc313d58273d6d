"""What is rendered for one scrape: taken on the daemon's loop in one step, rendered anywhere."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from bus.histogram import Buckets
from supervisor.metrics.totals import Total
from supervisor.sampler import ProcessUse
from supervisor.schema import DeploymentRow, FeedView
from supervisor.schema.notifications import NotificationView


class Picture(Struct, frozen=True, kw_only=True):
    """Everything that ``families`` tells. Times are seconds, sizes bytes; None is unknown, and left out."""

    version: str
    started_at: float
    deployments: list[DeploymentRow] = []
    totals: Mapping[str, Total] = {}
    deaths: Mapping[tuple[str, str], int] = {}
    verdicts: Mapping[tuple[str, str, str], int] = {}
    """Signals by (deployment, verdict, rule)."""
    feeds: list[FeedView] = []
    processes: Mapping[str, ProcessUse] = {}
    starts: Mapping[str, int] = {}
    """Starts of the daemon's own processes, by name."""
    pressure: Mapping[str, Mapping[tuple[str, str], float]] = {}
    """Seconds that a deployment waited, by (resource, some or full)."""
    host_pressure: Mapping[tuple[str, str], float] = {}
    max_deployments: int = 0
    loop_lag: float = 0.0
    engine_turn: float | None = None
    """The engine's longest turn of the last second."""
    commits: Buckets = Buckets()
    journal_records: int = 0
    events: int = 0
    events_unwritten: int = 0
    mirror_lag: int | None = None
    """None without a mirror."""
    problems: int = 0
    requests: Mapping[tuple[str, str, int], int] = {}
    """By (method, route, status)."""
    request_seconds: Mapping[str, Buckets] = {}
    targets: list[NotificationView] = []
    """Of notifications."""
    stream_clients: int = 0
    streams_cut_off: int = 0
