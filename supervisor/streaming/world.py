"""The daemon as the hub sees it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from supervisor import views
from supervisor.feeds import pictures
from supervisor.schema import DeploymentRow, FeedView
from supervisor.store.journal_stream import Told
from supervisor.store.tables import Event
from supervisor.streaming.message import Message, Piece, metrics, quoted

if TYPE_CHECKING:
    from supervisor.daemon import Daemon


class DaemonWorld:
    """``supervisor.streaming.hub.World`` of one daemon."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def account_of(self, deployment_id: str, at: int | None = None) -> str:
        """Return the account of a deployment, "" of one that is not known, or was not there yet ``at``."""
        actor = self._daemon.actors.get(deployment_id)
        if actor is None or (at is not None and at < actor.deployment.created_at):
            return ""  # of an earlier one of that id: whose that was is not known any more
        return actor.deployment.account

    def rows(self) -> list[DeploymentRow]:
        """Return every deployment as it is now."""
        news, saved = self._daemon.news.rows, self._daemon.checkpoints.known
        now, monotonic = time.time_ns(), asyncio.get_running_loop().time()
        return [
            views.row(actor, news.get(name), saved.get(name), now=now, monotonic=monotonic)
            for name, actor in sorted(self._daemon.actors.items())
        ]

    def feeds(self) -> list[FeedView]:
        """Return every feed as it is now."""
        return pictures(self._daemon.settings.feed_specs, self._daemon.news.stats)

    def figures(self, rows: Sequence[DeploymentRow]) -> Message:
        """Return the figures of the daemon, and those of each deployment that runs."""
        daemon = self._daemon
        own = daemon.sampler.own
        figures = {
            "at": time.time_ns(),
            "loop_lag_ms": round(daemon.pulse.lag * 1e3, 3),
            "running": sum(actor.holds_slot for actor in daemon.actors.values()),
            "processes": {
                name: {
                    "cpu_percent": None if use.cpu_share is None else round(use.cpu_share * 100, 1),
                    "memory_mb": round(use.rss / views.MIB, 1),
                }
                for name, use in own.items()
            },
        }
        return metrics(figures, {row.id: _piece(row) for row in rows if row.pid is not None})

    def last_event(self) -> int:
        """Return the number of the last event that was published."""
        return self._daemon.events.published

    def events(self, after: int, n: int | None, *, follow: bool) -> AsyncIterator[Event]:
        """Yield events numbered above ``after``."""
        return self._daemon.events.read(after, n, follow=follow)

    async def last_record(self) -> int:
        """Return the number of the journal's last record."""
        return await self._daemon.signals.ask(lambda reader: reader.last_seq())

    async def records(self, after: int, n: int) -> list[Told]:
        """Return at most ``n`` records above ``after``."""
        return await self._daemon.signals.ask(lambda reader: reader.told_after(after, n))

    async def journal_beyond(self, seen: int) -> int:
        """Wait until the journal has grown beyond record ``seen``."""
        return await self._daemon.signals.beyond(seen)


def _piece(row: DeploymentRow) -> Piece:
    figures = (
        f'{{"cpu_percent":{_number(row.cpu_percent)},"memory_mb":{_number(row.memory_mb)},'
        f'"lag_ms":{_number(row.lag_ms)},"ticks":{row.ticks},"candles":{row.candles},"gaps":{row.gaps},'
        f'"stale":{row.stale},"state":{quoted(row.state)}}}'
    )
    return Piece(row.account, figures)


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)
