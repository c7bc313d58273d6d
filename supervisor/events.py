"""The event log: what the daemon did, numbered, durable before anybody is shown it.

Rules of this file. ``note`` never waits: it queues, and one task writes what has gathered in one
transaction and publishes it after, so a number that somebody saw is never given again, not even after a
crash. While the database cannot be written, events are published all the same and kept to be written later
(``unwritten`` says how many wait): supervision goes on with a full disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol, TypeVar

import structlog

from supervisor.broadcast import Broadcast
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.tables import Event
from supervisor.tasks import end_task

T = TypeVar("T")
log = structlog.get_logger()


class InDatabase(Protocol):
    """Runs a blocking call on the database's thread."""

    async def __call__(self, call: Callable[[], T]) -> T:
        """Return what ``call`` returns."""
        ...


WARNINGS = frozenset({
    "backoff", "connection_refused", "engine_died", "engine_failed", "engine_hung", "error", "failed",
    "feed_conflict", "feed_disconnected", "feed_failed", "feed_stale", "impossible", "internal_error",
    "not_recovered", "not_saved", "peer_refused", "problem", "quarantined", "replay_refused", "report_fenced",
    "report_refused", "signal_flood", "signals_failed", "strategy_broken", "stuck", "zygote_died",
})  # fmt: skip
"""Kinds that are logged as warnings, so that they are still told where ``log.level`` is WARNING."""
RING = 10_000
"""Events kept in memory for whoever asks for the recent ones."""
UNWRITTEN = 10_000
"""Events kept for a database that cannot be written; beyond, the oldest are lost to it."""
RETRY = 5.0
"""Seconds between two attempts to write to a database that refused."""


class EventLog:
    """Owns the numbering. ``start`` reads where it stood, ``stop`` writes what is left."""

    def __init__(
        self,
        store: DeploymentStore,
        in_database: InDatabase,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self._store = store
        self._in_database = in_database
        self._wall = wall
        self._ring: deque[Event] = deque(maxlen=RING)
        self._broadcast: Broadcast[Event] = Broadcast()
        self._queued: deque[Event] = deque()
        self._unwritten: deque[Event] = deque(maxlen=UNWRITTEN)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.seq = 0

    @property
    def unwritten(self) -> int:
        """Events published that the database does not have yet."""
        return len(self._unwritten)

    async def start(self) -> None:
        """Take up the numbering. Raises ``StoreError``."""
        await self._in_database(self._recall)
        self._task = asyncio.create_task(self._write_on(), name="events")

    def _recall(self) -> None:
        self.seq = self._store.last_event()
        self._ring.extend(self._store.newest_events(RING // 10))

    def note(self, kind: str, detail: str = "", deployment_id: str = "", generation: int = 0) -> None:
        """Record that something happened. Never waits, never fails."""
        self.seq += 1
        self._queued.append(Event(self.seq, self._wall(), kind, deployment_id, generation, detail))
        say = log.warning if kind in WARNINGS else log.info
        say(kind, deployment=deployment_id or None, generation=generation or None, detail=detail or None)
        self._news.set()

    async def stop(self) -> None:
        """Write what is queued, and end every follower."""
        await end_task(self._task)
        await self._write()
        self._broadcast.close()

    async def _write_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), RETRY if self._unwritten else None)
            self._news.clear()
            await asyncio.shield(self._write())

    async def _write(self) -> None:
        fresh = list(self._queued)
        self._queued.clear()
        rows = [*self._unwritten, *fresh]
        if rows:
            try:
                await self._in_database(lambda: self._store.add_events(rows))
                self._unwritten.clear()
            except StoreError:
                self._unwritten.extend(fresh)
        self._ring.extend(fresh)
        self._broadcast.publish(fresh)

    async def read(
        self, after: int | None = None, limit: int | None = None, *, follow: bool = False
    ) -> AsyncIterator[Event]:
        """Yield events numbered above ``after``, else the last ``limit``; then, if told, all that come.

        A follower that is cut off for being slow simply ends: it asks again with the number it got last.
        """
        follower = self._broadcast.follow() if follow else None
        try:
            last = after or 0
            for event in await self._past(after, limit):
                last = event.seq
                yield event
            if follower is not None:
                async for event in follower:
                    if event.seq > last:
                        yield event
        finally:
            if follower is not None:
                follower.close()

    async def _past(self, after: int | None, limit: int | None) -> list[Event]:
        ring = list(self._ring)
        if after is None:
            return ring[-limit:] if limit else ([] if limit == 0 else ring)
        found = [event for event in ring if event.seq > after]
        if not ring or ring[0].seq > after + 1:
            wanted = RING if limit is None else limit
            older: list[Event] = []
            with contextlib.suppress(StoreError):  # then what is in memory must do
                older = await self._in_database(lambda: self._store.events(after, wanted))
            newest = older[-1].seq if older else after
            found = older + [event for event in ring if event.seq > newest]
        return found if limit is None else found[:limit]
