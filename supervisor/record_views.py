"""From what is on record of a deployment to the shapes of the API. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from bus.messages import Candle, Position
from strategies.trading.accounts import AccountTerms
from strategies.trading.records import Closed, Routed
from strategies.trading.replies import signal_map, signal_row
from supervisor import control
from supervisor.actor import Actor
from supervisor.ledger import order_row, trade_row
from supervisor.performance import Curve, Figures, Point, sums
from supervisor.schema import (
    CandleView,
    EquityPoint,
    EquityView,
    EventView,
    MetricsView,
    OrderEnd,
    PerformanceView,
    Quota,
    RouteReport,
    SignalChain,
    SignalView,
    Verdicts,
)
from supervisor.store.journal_chain import Chain
from supervisor.store.tables import Event
from supervisor.views import MIB, verdicts

COUNTERS: Final = (
    "ticks", "candles", "gaps", "stale", "conflated", "replayed", "refused", "errors", "slow_calls"
)  # fmt: skip
"""What a warden counts (``CellStats``) and is shown by the same name."""
PLAIN: Final = AccountTerms(name="")
"""The terms of an account that is not configured."""


def event(one: Event) -> EventView:
    """Return one event."""
    return EventView(
        seq=one.seq,
        at=one.at,
        kind=one.kind,
        deployment_id=one.deployment_id,
        generation=one.generation,
        detail=one.detail,
    )


def metrics(
    actor: Actor, known: control.DeploymentRow | None, deaths: Mapping[str, int], *, monotonic: float
) -> MetricsView:
    """Return what a process takes and has done; ``known`` is what the engine said last of it."""
    mine, life, instance = actor.deployment, actor.life, actor.instance
    usage = instance.usage if instance else None
    sampled = usage is not None and usage.cpu_share is not None
    stats = known.stats if known and instance and known.generation == instance.generation else None
    counted = {name: getattr(stats, name) for name in COUNTERS if stats is not None}
    return MetricsView(
        deployment_id=mine.id,
        state=life.state.value,
        generation=life.generation,
        restarts=life.restarts,
        uptime_s=monotonic - instance.ready_since if instance and instance.ready_at else None,
        cpu_percent=round(usage.cpu_share * 100, 1) if usage and usage.cpu_share is not None else None,
        memory_mb=round(usage.rss / MIB, 1) if usage and sampled else None,
        peak_memory_mb=round(usage.peak / MIB, 1) if usage and sampled else None,
        quota=Quota(memory_mb=mine.memory / MIB, cpu=mine.cpu),
        lag_ms=round(stats.lag_ns / 1e6, 3) if stats and (stats.ticks or stats.candles) else None,
        published=known.published if stats and known else 0,
        longest_call_ms=stats.longest_call_ns / 1e6 if stats else 0.0,
        log_dropped=actor.book.dropped,
        extra_time_s=round(actor.extra_time, 1),
        signals=verdicts(known.counts) if known else Verdicts(),
        deaths=dict(deaths),
        **counted,
    )


def performance(
    deployment_id: str,
    found: Curve,
    figures: Figures,
    held: Sequence[Position],
    known: control.DeploymentRow | None,
    *,
    capital: float | None,
    currency: str,
) -> PerformanceView:
    """Return the figures of one deployment.

    ``held`` are its positions by the journal, unmarked and whole; ``known`` has their marks of a second ago.
    ``currency`` is that of its account.
    """
    money, realised, _, fees = sums(held)
    marked = {one.symbol: one for one in known.positions} if known else {}
    open_now = [marked.get(one.symbol, one) for one in held if one.quantity]
    _, _, unrealised, _ = sums(open_now)
    single = money is not None or not held
    return PerformanceView(
        deployment_id=deployment_id,
        currency=(money or currency) if single else None,
        capital=capital,
        equity=known.equity if known else None,
        realised=realised,
        unrealised=unrealised,
        fees=fees,
        trades=found.fills,
        trips=len(found.trips),
        since=found.since,
        until=found.until,
        whole=found.whole,
        **{name: getattr(figures, name) for name in figures.__struct_fields__},
    )


def equity(
    deployment_id: str, found: Curve, points: Sequence[Point], *, capital: float | None, currency: str
) -> EquityView:
    """Return a curve, of which ``points`` are to be shown; ``currency`` is that of its account."""
    known = found.currency is not None or not found.fills
    return EquityView(
        deployment_id=deployment_id,
        currency=(found.currency or currency) if known else None,
        capital=capital,
        points=[
            EquityPoint(
                at=point.at, profit=point.profit, equity=None if capital is None else capital + point.profit
            )
            for point in points
        ],
        whole=found.whole,
    )


def chain(found: Chain) -> SignalChain:
    """Return one signal with all that followed."""
    return SignalChain(
        signal=SignalView.model_validate(signal_row(found.judged)),
        waited=None if found.waited is None else SignalView.model_validate(signal_row(found.waited)),
        asked=signal_map(found.judged.signal),
        order=order_row(found.order) if found.order else None,
        report=_report(found.routed),
        fills=[trade_row(record) for record in found.fills],
        end=_end(found.closed),
        whole=found.whole,
    )


def _report(routed: Routed | None) -> RouteReport | None:
    if routed is None:
        return None
    return RouteReport(at=routed.at, status=routed.status, detail=routed.detail, venue_id=routed.venue_id)


def _end(closed: Closed | None) -> OrderEnd | None:
    if closed is None:
        return None
    return OrderEnd(at=closed.at, reason=closed.reason, detail=closed.detail, filled=closed.filled)


def candle(one: Candle) -> CandleView:
    """Return one candle."""
    return CandleView(**{name: getattr(one, name) for name in CandleView.model_fields})
