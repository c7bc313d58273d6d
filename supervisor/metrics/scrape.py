"""Answering a scrape: a picture on the loop, the text of it on a thread, for it takes milliseconds."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from importlib import metadata
from typing import TYPE_CHECKING

from supervisor.errors import Unavailable
from supervisor.metrics.exposition import render
from supervisor.metrics.picture import Picture
from supervisor.metrics.requests import Requests
from supervisor.notifying.views import views
from supervisor.pressure import waits

if TYPE_CHECKING:
    from supervisor.daemon import Daemon


class Scrape:
    """Answers for one daemon, one scrape after the other. Nothing is counted for it between two."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._verdicts: Counter[tuple[str, str, str]] = Counter()
        self._counted_to = 0
        self._turn = asyncio.Lock()

    async def answer(self, requests: Requests, accept: str) -> tuple[str, bytes]:
        """Return (content type, text). A journal that cannot be read gives the verdicts that it last gave."""
        async with self._turn:
            with contextlib.suppress(Unavailable):
                await self._count_verdicts()
            picture = self._picture(requests)
            return await asyncio.to_thread(render, picture, accept)

    async def _count_verdicts(self) -> None:
        tail = self._daemon.signals
        if await tail.ask(lambda reader: reader.last_seq()) < self._counted_to:
            self._counted_to = 0  # another journal was begun
        self._counted_to, found = await tail.ask(lambda reader: reader.verdicts_after(self._counted_to))
        self._verdicts.update(found)

    def _picture(self, requests: Requests) -> Picture:
        daemon, stats = self._daemon, self._daemon.news.stats
        world = daemon.hub.world
        rows = world.rows()
        names = {row.id for row in rows}
        daemon.totals.forget(names)
        for kind in [kind for kind in self._verdicts if kind[0] not in names]:
            del self._verdicts[kind]
        return Picture(
            version=metadata.version("stratd"),
            started_at=daemon.started_at / 1e9,
            deployments=rows,
            totals={name: daemon.totals.of(name) for name in names},
            deaths=dict(daemon.totals.deaths),
            verdicts=dict(self._verdicts),
            feeds=world.feeds(),
            processes=dict(daemon.sampler.own),
            starts={"supervisor": 1, "engine": daemon.engine.starts, "zygote": daemon.cells.zygote_starts},
            pressure=daemon.enforcers.pressure.totals(names),
            host_pressure=waits(daemon.enforcers.pressure.host),
            max_deployments=daemon.settings.limits.max_concurrent,
            loop_lag=daemon.pulse.lag,
            engine_turn=stats.loop_ns_max / 1e9 if stats else None,
            commits=daemon.totals.commits,
            journal_records=daemon.news.journal_seq,
            events=daemon.events.seq,
            events_unwritten=daemon.events.unwritten,
            mirror_lag=daemon.mirror.view().lag if daemon.mirror else None,
            problems=len(daemon.problems),
            requests=dict(requests.counts),
            request_seconds=requests.seconds(),
            targets=views(daemon.notifications),
            stream_clients=daemon.hub.listeners,
            streams_cut_off=daemon.hub.cut_off,
        )
