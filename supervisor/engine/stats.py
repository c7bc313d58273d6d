"""The engine's picture of itself, once a second, for ``status``, ``ps`` and ``feeds``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strategies.trading.records import Tally
from supervisor.control import DeploymentRow, EngineStats, SignalCounts

if TYPE_CHECKING:
    from supervisor.engine.loop import Engine


def engine_stats(engine: Engine, now: int, loop_ns_max: int) -> EngineStats:
    """Everything that the supervisor shows of the data plane."""
    rows = [
        DeploymentRow(
            deployment_id=member.deployment_id,
            generation=member.generation,
            counts=_counts(engine.core.counts(member.deployment_id)),
            stats=member.stats,
            published=engine.published(member.attach.symbols) - member.base if member.running else 0,
            positions=engine.core.positions(member.deployment_id),
            equity=engine.core.world.money(("deployment", member.deployment_id)).equity,
            latch=engine.core.latched(("deployment", member.deployment_id)),
            guards=engine.core.guards(member.deployment_id),
        )
        for member in engine.roster.members()
    ]
    feeds = [feed.row() for feed in engine.feeds.values()]
    out = engine.outlet
    return EngineStats(
        now,
        engine.journal.last_seq,
        loop_ns_max,
        feeds,
        rows,
        out.endpoint,
        out.replay_endpoint,
        engine.trading.accounts(),
        engine.trading.holdings(),
        engine.journal.commits.told(),
    )


def _counts(tally: Tally) -> SignalCounts:
    return SignalCounts(tally.accepted, tally.rejected, tally.duplicate, tally.expired)
