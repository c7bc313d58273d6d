"""From a picture to metric families: names, help, units and labels, all on one screen. Pure.

Names are those of Prometheus' conventions (prometheus.io/docs/practices/naming): a unit in the plural, base
units, ``_total`` for what only grows. A label has few values: ids of deployments, of which there are at most
some hundreds, and words that the code knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from bus.histogram import COMMITS, TURNS, Buckets
from supervisor.metrics.picture import Picture
from supervisor.metrics.requests import BOUNDS
from supervisor.schema import FeedView
from supervisor.schema.notifications import NotificationView

Samples: TypeAlias = Iterable[tuple[tuple[str, ...], float | None]]
"""(values of the labels, value); a value that is None is not known, and has no sample."""
MIB: Final = 2**20
COUNTERS: Final = (
    ("stratd_deployment_ticks_total", "Ticks that a strategy was handed."),
    ("stratd_deployment_candles_total", "Candles that a strategy was handed."),
    ("stratd_deployment_conflated_ticks_total", "Ticks left out because a strategy was behind."),
    ("stratd_deployment_gaps_total", "Messages that never came to a strategy, and are on no tape."),
    ("stratd_deployment_stale_ticks_total", "Ticks that a strategy was handed late."),
    ("stratd_deployment_refused_total", "Signals and timers that its warden refused, too many or large."),
    ("stratd_deployment_errors_total", "Exceptions of a strategy's callbacks."),
    ("stratd_deployment_slow_calls_total", "Callbacks that took longer than their soft budget."),
    ("stratd_deployment_log_lines_dropped_total", "Lines that a strategy wrote and that were dropped."),
    ("stratd_deployment_replayed_total", "Ticks and candles that a strategy was handed from the tape."),
)  # fmt: skip
"""In the order of ``totals.COUNTED``."""


def families(picture: Picture) -> Iterator[Metric]:
    """Yield every metric family of a scrape."""
    yield from _daemon(picture)
    yield from _deployments(picture)
    yield from _feeds(picture.feeds)
    yield from _notifications(picture.targets)
    yield from _api(picture)


def _daemon(picture: Picture) -> Iterator[Metric]:
    own = picture.processes
    yield gauge(
        "stratd_build_info", "The version that runs, as a label.", ["version"], [((picture.version,), 1)]
    )
    yield gauge(
        "stratd_start_time_seconds", "When the daemon began, unix time.", [], [((), picture.started_at)]
    )
    yield gauge(
        "stratd_problems",
        "Sentences that `stratd status` says of what is wrong.",
        [],
        [((), picture.problems)],
    )
    yield gauge(
        "stratd_process_memory_bytes", "Resident memory of the daemon's own processes.", ["process"],
        [((name,), use.rss) for name, use in own.items()],
    )  # fmt: skip
    yield counter(
        "stratd_process_cpu_seconds_total", "Processor time of the daemon's own processes.", ["process"],
        [((name,), use.cpu_time) for name, use in own.items()],
    )  # fmt: skip
    yield counter(
        "stratd_process_starts_total", "Starts of the daemon's own processes.", ["process"],
        [((name,), starts) for name, starts in picture.starts.items()],
    )  # fmt: skip
    yield gauge(
        "stratd_loop_lag_seconds",
        "Worst delay of the daemon's loop in the last second.",
        [],
        [((), picture.loop_lag)],
    )
    yield gauge(
        "stratd_engine_turn_max_seconds",
        "Longest turn of the engine in the last second.",
        [],
        [((), picture.engine_turn)],
    )
    yield counter(
        "stratd_host_pressure_seconds_total", "Time that tasks of the host waited for a resource (PSI).",
        ["resource", "kind"], sorted(picture.host_pressure.items()),
    )  # fmt: skip
    yield histogram(
        "stratd_journal_commit_seconds", "Commits of the engine to its journal.", [], COMMITS,
        [((), picture.commits)],
    )  # fmt: skip
    yield counter(
        "stratd_journal_records_total",
        "Records that the journal was ever given.",
        [],
        [((), picture.journal_records)],
    )
    yield counter("stratd_events_total", "Events that the daemon has numbered.", [], [((), picture.events)])
    yield gauge(
        "stratd_events_unwritten", "Events that wait for the database.", [], [((), picture.events_unwritten)]
    )
    yield gauge(
        "stratd_mirror_lag_records",
        "Records of the journal that the mirror does not have yet.",
        [],
        [((), picture.mirror_lag)],
    )


def _deployments(picture: Picture) -> Iterator[Metric]:
    rows, totals = picture.deployments, picture.totals
    states = Counter(row.state for row in rows)
    one = ["deployment"]
    yield gauge(
        "stratd_deployments",
        "Deployments by state.",
        ["state"],
        [((name,), n) for name, n in sorted(states.items())],
    )
    yield gauge(
        "stratd_deployments_max", "Deployments that may run at once.", [], [((), picture.max_deployments)]
    )
    yield gauge(
        "stratd_deployment_info", "What a deployment is, as labels.",
        ["deployment", "strategy", "version", "account", "mode"],
        [((row.id, row.strategy, row.version, row.account, row.mode), 1) for row in rows],
    )  # fmt: skip
    for name, text, values in _GAUGES:
        yield gauge(name, text, one, [((row.id,), values(row)) for row in rows])
    yield counter(
        "stratd_deployment_starts_total", "Instances of a deployment that were begun.", one,
        [((row.id,), row.generation) for row in rows],
    )  # fmt: skip
    for number, (name, text) in enumerate(COUNTERS):
        yield counter(name, text, one, [((row.id,), totals[row.id].counts[number]) for row in rows])
    yield counter(
        "stratd_deployment_cpu_seconds_total", "Processor time of a deployment's processes.", one,
        [((row.id,), totals[row.id].cpu_time) for row in rows],
    )  # fmt: skip
    yield counter(
        "stratd_deployment_pressure_seconds_total", "Time that a strategy waited for a resource (PSI).",
        ["deployment", "resource", "kind"],
        [((name, *key), seconds) for name, told in sorted(picture.pressure.items())
         for key, seconds in sorted(told.items())],
    )  # fmt: skip
    yield histogram(
        "stratd_turn_seconds", "How long a strategy took for what it was handed together.", one, TURNS,
        [((row.id,), totals[row.id].turns) for row in rows],
    )  # fmt: skip
    yield counter(
        "stratd_deployment_deaths_total", "Ends of instances, by cause.", ["deployment", "cause"],
        sorted(picture.deaths.items()),
    )  # fmt: skip
    yield counter(
        "stratd_signals_total", "Signals by verdict, and by the rule that refused them.",
        ["deployment", "verdict", "rule"], sorted(picture.verdicts.items()),
    )  # fmt: skip


_GAUGES: Final = (
    ("stratd_deployment_running", "1 while a deployment runs.", lambda row: row.state == "running"),
    ("stratd_deployment_wanted", "1 while a deployment is to run.", lambda row: row.desired == "running"),
    ("stratd_deployment_memory_bytes", "Resident memory of a deployment's processes.",
     lambda row: _scaled(row.memory_mb, MIB)),
    ("stratd_deployment_memory_quota_bytes", "Memory that a deployment may use.",
     lambda row: row.quota.memory_mb * MIB),
    ("stratd_deployment_cpu_quota_cores", "Cores that a deployment may use.", lambda row: row.quota.cpu),
    ("stratd_deployment_lag_seconds", "Worst age of data when a strategy was done with it, last second.",
     lambda row: _scaled(row.lag_ms, 1e-3)),
    ("stratd_deployment_latched", "1 while something bars a deployment by itself.",
     lambda row: row.latch is not None),
    ("stratd_deployment_checkpoint_age_seconds", "Age of the newest state that it would start from.",
     lambda row: row.checkpoint_age_s),
)  # fmt: skip


def _feeds(feeds: list[FeedView]) -> Iterator[Metric]:
    def each(name: str) -> Samples:
        return [((feed.name,), getattr(feed, name)) for feed in feeds]

    one = ["feed"]
    yield gauge(
        "stratd_feed_healthy",
        "1 while a feed is healthy.",
        one,
        [((f.name,), f.state == "healthy") for f in feeds],
    )
    for field, text in (
        ("ticks", "Ticks of a feed."),
        ("bars", "Bars of a feed."),
        ("gaps", "Messages of a feed that were missed."),
        ("recovered", "Missed messages that its publisher gave again."),
        ("late", "Ticks that came too late for their candle."),
        ("duplicates", "Ticks that had come before."),
        ("crossed", "Ticks with a bid above the ask."),
    ):  # fmt: skip
        yield counter(f"stratd_feed_{field}_total", text, one, each(field))
    yield counter(
        "stratd_feed_rejected_total", "Frames and ticks that were refused, by reason.", ["feed", "reason"],
        [((feed.name, reason), n) for feed in feeds for reason, n in sorted(feed.rejected.items())],
    )  # fmt: skip
    yield gauge(
        "stratd_feed_lag_seconds",
        "Age of a feed's ticks when they come.",
        one,
        [((f.name,), _scaled(f.lag_ms, 1e-3)) for f in feeds],
    )
    yield gauge("stratd_feed_symbols", "Symbols that a feed brings.", one, each("symbols"))
    yield gauge(
        "stratd_feed_last_tick_time_seconds",
        "When a feed's last tick came, unix time.",
        one,
        [((f.name,), _scaled(f.last_tick_at, 1e-9)) for f in feeds],
    )


def _notifications(targets: list[NotificationView]) -> Iterator[Metric]:
    def each(name: str) -> Samples:
        return [((one.name,), getattr(one, name)) for one in targets if one.enabled]

    one = ["target"]
    yield gauge(
        "stratd_notification_up", "1 while a target takes its messages.", one,
        [((each_one.name,), each_one.state == "ok") for each_one in targets if each_one.enabled],
    )  # fmt: skip
    yield gauge(
        "stratd_notification_waiting", "Events that a target is still to be told of.", one, each("waiting")
    )
    yield gauge(
        "stratd_notification_lag_events",
        "Events since the last up to which a target was told.",
        one,
        each("lag"),
    )
    for field, text in (
        ("delivered", "Messages that a target took."),
        ("dropped", "Messages that a target refused for good."),
        ("failures", "Attempts at a message that came to nothing."),
    ):
        yield counter(f"stratd_notification_{field}_total", text, one, each(field))


def _api(picture: Picture) -> Iterator[Metric]:
    yield counter(
        "stratd_http_requests_total", "Requests to the API.", ["method", "route", "status"],
        [((method, route, str(code)), n) for (method, route, code), n in sorted(picture.requests.items())],
    )  # fmt: skip
    yield histogram(
        "stratd_http_request_seconds", "How long it took until an answer began.", ["route"], BOUNDS,
        [((route,), buckets) for route, buckets in sorted(picture.request_seconds.items())],
    )  # fmt: skip
    yield gauge(
        "stratd_stream_clients", "Clients that listen to the stream.", [], [((), picture.stream_clients)]
    )
    yield counter(
        "stratd_stream_cut_off_total",
        "Clients of the stream that were too slow.",
        [],
        [((), picture.streams_cut_off)],
    )


# ---- families --------------------------------------------------------------------------------------
def gauge(name: str, text: str, labels: list[str], samples: Samples) -> Metric:
    """Return what can rise and fall."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family


def counter(name: str, text: str, labels: list[str], samples: Samples) -> Metric:
    """Return what only grows."""
    family = CounterMetricFamily(name, text, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, float(value))
    return family


def histogram(
    name: str,
    text: str,
    labels: list[str],
    bounds: tuple[float, ...],
    samples: Iterable[tuple[tuple[str, ...], Buckets]],
) -> Metric:
    """Return durations in buckets, of each that has as many as ``bounds`` wants."""
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, told in samples:
        if len(told.counts) != len(bounds) + 1:
            continue
        below, buckets = 0, []
        for bound, count in zip((*map(str, bounds), "+Inf"), told.counts, strict=True):
            below += count
            buckets.append((bound, float(below)))
        family.add_metric(values, buckets=buckets, sum_value=told.total)
    return family


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
