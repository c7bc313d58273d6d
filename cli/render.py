"""From the daemon's answers to tables and paragraphs. Pure: takes views, returns sheets and texts."""

from __future__ import annotations

from collections.abc import Sequence

from cli import render_deaths
from cli.pressure import pressure
from cli.render_code import packages
from cli.render_money import guard, latch, money
from cli.tables import Column, Sheet, clean, columns, fields, hanging
from cli.words import NOTHING, amount, clock, count, instant, lag, megabytes, number, span
from supervisor.schema import (
    CheckpointsView,
    DeploymentDetail,
    DeploymentRow,
    EventView,
    FeedView,
    LayerView,
    LogLine,
    ProcessView,
    SandboxView,
    SignalView,
    Status,
    StrategyView,
    Verdicts,
)

TRUST = {
    "trusted": "trusted by the operator (--trust)",
    "built-in": "shipped with stratd",
    NOTHING: "none: runs only where the sandbox holds a stranger's code",
}


def deployments(rows: Sequence[DeploymentRow]) -> Sheet:
    """One row a deployment, for ``ps`` and ``top``. What bars or holds one has a column where it does."""
    barred, outside = any(row.latch is not None for row in rows), any(row.outside for row in rows)
    return Sheet(
        columns(
            "ID",
            "STATE",
            *(["LATCH"] if barred else []),
            *([Column("SCHEDULE", 1, flexible=True)] if outside else []),
            Column("STRATEGY", 3, flexible=True),
            Column("ACCOUNT", 9),
            Column("MODE", 8),
            Column("SYMBOLS", 5, flexible=True),
            Column("TF", 10),
            Column("TRUST", 3),
            Column("PID", 7, right=True),
            Column("UP", 2, right=True),
            Column("CPU%", 1, right=True),
            Column("MEM", 1, right=True),
            Column("TICKS", 2, right=True),
            Column("LAG", 6, right=True),
            Column("LOST", 6, right=True),
            Column("ACC", 1, right=True),
            Column("REJ", 4, right=True),
            Column("EQUITY", 5, right=True),
            Column("RESTARTS", 6, right=True),
            Column("LAST DEATH", 1, flexible=True),
        ),
        tuple(_deployment(row, barred=barred, outside=outside) for row in rows),
        "no deployments: 'stratd start ID --strategy NAME --symbol SYMBOL' creates one",
    )


def _deployment(row: DeploymentRow, *, barred: bool, outside: bool) -> tuple[str, ...]:
    death = row.last_death
    return (
        row.id,
        row.state,
        *([latch(row.latch)] if barred else []),
        *([clean(row.outside or NOTHING)] if outside else []),
        f"{row.strategy}@{row.version}" if row.version else row.strategy,
        row.account,
        row.mode,
        ",".join(row.symbols),
        ",".join(row.timeframes),
        _trust(row),
        str(row.pid or NOTHING),
        span(row.uptime_s),
        number(row.cpu_percent),
        megabytes(row.memory_mb),
        count(row.ticks),
        lag(row.lag_ms),
        count(row.gaps + row.conflated + row.stale),
        count(row.signals.accepted),
        count(row.signals.rejected),
        money(row.equity),
        str(row.restarts),
        NOTHING if death is None else clean(f"{death.cause} {death.detail}".strip()),
    )


def _trust(row: DeploymentRow) -> str:
    """Who answers for the code: the operator, or we who shipped it."""
    return "trusted" if row.trusted else "built-in" if row.builtin else NOTHING


def status(view: Status) -> str:
    """Return the paragraphs of ``status`` above its tables."""
    states = ", ".join(f"{number} {state}" for state, number in sorted(view.deployments.items())) or "none"
    verdicts = view.signals
    return fields(
        [
            (
                "stratd",
                f"{view.version}, {view.state} for {span(view.uptime_s)}, pid {view.pid} on {view.host}",
            ),
            ("deployments", f"{states} ({view.running} of {view.max_concurrent} slots in use)"),
            (
                "signals",
                _verdicts(verdicts),
            ),
            ("signals out", view.signals_endpoint or "nowhere"),
            ("replay", view.replay_endpoint or "nowhere"),
            ("journal", f"record {view.journal_seq}, event {view.event_seq}"),
            ("redis", " ".join(filter(None, (view.mirror.state, _lag(view.mirror.lag), view.mirror.detail)))),
            ("state", view.state_dir),
            ("runtime", view.runtime_dir),
            ("config", view.config or "defaults"),
            ("sandbox", clean(verdict(view.verdict))),
            *(("barred", clean(f"{one.scope} {one.name}: {latch(one)}")) for one in view.latches),
            *(("problem", clean(problem)) for problem in view.problems),
        ]
    )


def _verdicts(counts: Verdicts) -> str:
    refused = f"{counts.rejected} rejected, {counts.duplicate} duplicate, {counts.expired} expired"
    return f"{counts.accepted} accepted, {refused}"


def _lag(records: int) -> str:
    return f"{records} records behind" if records else ""


def processes(views: Sequence[ProcessView]) -> Sheet:
    """The daemon's own processes."""
    return Sheet(
        columns(
            "PROCESS",
            "STATE",
            Column("PID", right=True),
            Column("UP", right=True),
            Column("CPU%", right=True),
            Column("MEM", right=True),
            Column("RESTARTS", 1, right=True),
        ),
        tuple(
            (
                view.name,
                view.state,
                str(view.pid or NOTHING),
                span(view.uptime_s),
                number(view.cpu_percent),
                megabytes(view.memory_mb),
                str(view.restarts),
            )
            for view in views
        ),
        "no processes",
    )


def feeds(views: Sequence[FeedView]) -> Sheet:
    """One row a feed; refused frames and ticks by reason in the last column."""
    return Sheet(
        columns(
            "FEED",
            "STATE",
            Column("FORMAT", 3),
            Column("ENDPOINT", 5, flexible=True),
            Column("SYMBOLS", 6, right=True),
            Column("TICKS", 0, right=True),
            Column("BARS", 8, right=True),
            Column("LAG", 1, right=True),
            Column("LAST", 4, right=True),
            Column("GAPS", 1, right=True),
            Column("LATE", 2, right=True),
            Column("DUP", 7, right=True),
            Column("REJECTED", 1, flexible=True),
        ),
        tuple(_feed(view) for view in views),
        "no feeds: a [feeds.NAME] section of the configuration makes one (docs/configuration.md)",
    )


def _feed(view: FeedView) -> tuple[str, ...]:
    rejected = " ".join(f"{reason}:{number}" for reason, number in sorted(view.rejected.items()))
    return (
        view.name,
        view.state,
        view.format,
        f"{view.mode} {view.endpoint}",
        str(view.symbols),
        count(view.ticks),
        count(view.bars),
        lag(view.lag_ms),
        clock(view.last_tick_at),
        count(view.gaps) if view.sequenced else "?",  # without sequence numbers, gaps cannot be told
        count(view.late),
        count(view.duplicates),
        rejected or NOTHING,
    )


def layers(views: Sequence[LayerView]) -> Sheet:
    """What this host can enforce, layer by layer, and what would bring the rest."""
    return Sheet(
        columns("LAYER", "STATE", Column("WHY", wraps=True)),
        tuple((view.name, view.state, _why(view)) for view in views),
        "no layers",
    )


def verdict(view: SandboxView) -> str:
    """Say what the layers come to: whose code may run."""
    if not view.setting:
        return "not known yet"
    confined = f"setting {view.setting}, " + (
        f"without {', '.join(view.without)}" if view.without else "every layer"
    )
    if not view.refusal:
        return f"{confined}: a stranger's code is held"
    return f"{confined}: only trusted code runs (built-in, or with --trust), because {view.refusal}"


def _why(view: LayerView) -> str:
    return clean(f"{view.detail}; to bring it: {view.command}" if view.command else view.detail)


def strategies(views: Sequence[StrategyView]) -> Sheet:
    """The catalogue."""
    return Sheet(
        columns(
            "STRATEGY",
            "VERSION",
            "STATE",
            Column("TYPE", 2),
            Column("IN USE", 3, right=True),
            Column("CODE", 4),
            Column("DESCRIPTION", 1, flexible=True),
        ),
        tuple(
            (
                view.name,
                view.version or NOTHING,
                view.state,
                view.type,
                str(view.deployments),
                view.code_hash[:12] or NOTHING,
                clean(view.errors[0] if view.errors else view.description),
            )
            for view in views
        ),
        "no strategies",
    )


def describe(view: DeploymentDetail) -> str:
    """Everything about one deployment, the newest death first."""
    parts = (_head(view), _counters(view), _positions(view), render_deaths.told(view.deaths))
    return "\n\n".join(filter(None, parts))


def _head(view: DeploymentDetail) -> str:
    wanted = "" if view.desired == view.state else f" (wanted: {view.desired})"
    next_start = "" if view.next_start_in_s is None else f"in {span(view.next_start_in_s)}"
    return fields(
        [
            ("deployment", view.id),
            ("state", f"{view.state}{wanted}"),
            ("why", clean(view.reason)),
            ("schedule", view.schedule.text if view.schedule else ""),
            ("next start", next_start),
            ("strategy", f"{view.strategy}@{view.version}  {view.code_hash[:12]}".rstrip()),
            ("code", view.code_path),
            ("packages", packages(view.packages)),
            ("trust", TRUST[_trust(view)]),
            ("sandbox", f"without {', '.join(view.without)}" if view.without else "every layer"),
            ("account", f"{view.account} ({view.mode})"),
            ("barred by", clean(f"{latch(view.latch)}: {view.latch.reason}" if view.latch else "")),
            ("equity", money(view.equity)),
            ("symbols", ", ".join(view.symbols)),
            ("timeframes", ", ".join(view.timeframes)),
            ("parameters", clean(", ".join(f"{name}={value}" for name, value in view.parameters.items()))),
            ("risk", clean(", ".join(f"{name}={value}" for name, value in view.risk.items()))),
            (
                "instance",
                f"generation {view.generation}, pid {view.pid or NOTHING}, up {span(view.uptime_s)}",
            ),
            ("restarts", f"{view.restarts} (policy {view.restart_policy})"),
            ("created", instant(view.created_at)),
        ]
    )


def _counters(view: DeploymentDetail) -> str:
    verdicts, quota, enforcer = view.signals, view.quota, view.enforcer
    return fields(
        [
            (
                "memory",
                f"{megabytes(view.memory_mb)} of {megabytes(quota.memory_mb)}, held by {enforcer.memory}",
            ),
            ("cpu", f"{number(view.cpu_percent)} % of {quota.cpu * 100:.0f} %, held by {enforcer.cpu}"),
            ("pressure", pressure(view.pressure)),
            (
                "market data",
                _data(view),
            ),
            (
                "signals",
                f"{_verdicts(verdicts)}, {view.refused} refused by the warden",
            ),
            (
                "calls",
                f"{view.errors} errors, {view.slow_calls} slow, longest {number(view.longest_call_ms)} ms",
            ),
            ("state", _saved(view.checkpoints, view.checkpoint_age_s)),
            ("extra time", f"{span(view.extra_time_s)} left"),
            ("log", f"{view.log_dropped} lines dropped" if view.log_dropped else ""),
            ("last event", clean(view.last_event)),
        ]
    )


def _saved(kept: CheckpointsView, age: float | None) -> str:
    aside = f", {kept.quarantined} set aside" if kept.quarantined else ""
    if kept.seq is None or kept.size_bytes is None:
        return f"none saved{aside}"
    return (
        f"saved {span(age)} ago, {kept.size_bytes:,} bytes (checkpoint {kept.seq}, {kept.good} kept{aside})"
    )


def _data(view: DeploymentDetail) -> str:
    ticks = f"{view.ticks} ticks ({view.published} published, {view.conflated} conflated)"
    lost = f"{view.gaps} gaps, {view.replayed} from the tape, {view.stale} stale"
    return f"{ticks}, {view.candles} candles, {lost}, lag {lag(view.lag_ms)}"


def _positions(view: DeploymentDetail) -> str:
    return "\n".join(
        f"position    {amount(held.quantity)} {held.symbol} at {amount(held.average_price)}, "
        f"realised {amount(held.realised)}, unrealised {money(held.unrealised)}, fees {amount(held.fees)}"
        + (f", guarded by {guard(held.guard)}" if held.guard else "")
        for held in view.positions
    )


def event(view: EventView, width: int | None = None) -> str:
    """One line of ``events``, or as many as it needs where a line is ``width`` long."""
    who = f"{view.deployment_id}#{view.generation}" if view.deployment_id else NOTHING
    return hanging(
        f"{view.seq:>6}  {instant(view.at)}  {view.kind:<14} {who:<16} ", clean(view.detail), width
    )


def signal(view: SignalView, width: int | None = None) -> str:
    """One line of ``signals``, or as many as it needs where a line is ``width`` long."""
    why = f"{view.rule}: {view.detail}" if view.rule else view.reason or ""
    who = f"{view.verdict:<9} {view.deployment_id:<12} {view.intent or NOTHING:<11}"
    what = f"{amount(view.quantity):>8} {view.symbol or NOTHING:<8}"
    return hanging(f"{instant(view.decided_at)}  {who} {what} ", clean(why), width)


def log_line(view: LogLine) -> str:
    """One line of ``logs``."""
    return f"{instant(view.at)} {view.stream:<3} {clean(view.text)}"
