"""The event log: what the daemon did, numbered, durable before anybody is shown it.

Rules of this file. ``note`` never waits: it queues, and one task writes what has gathered in one
transaction and publishes it after. While the database cannot be written, events are published all the same
and kept to be written later (``unwritten`` says how many wait): supervision goes on with a full disk. A
number that somebody saw is never given again, whatever became of the database: the highest stands in a
``HighMark`` before anybody is shown it. So whoever followed asks for what it missed by that number. And
whoever reads finds what was noted before: what came of a request is there when its answer is.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol, TypeVar

import structlog

from supervisor.broadcast import Broadcast
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.high_mark import HighMark
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
    "backoff", "checkpoint_refused", "connection_refused", "disk_low", "engine_died", "engine_failed",
    "engine_hung", "error", "events_lost", "failed", "feed_conflict", "feed_disconnected", "feed_failed",
    "feed_stale", "fill_refused", "impossible", "internal_error", "journal_quarantined", "mirror_down",
    "not_recovered", "not_saved", "peer_refused", "problem", "quarantined", "replay_refused",
    "report_fenced", "report_refused", "signal_flood", "signals_failed", "state_lost",
    "state_quarantined", "state_refused", "strategy_broken", "stuck", "tape_quarantined",
    "tape_renumbered", "tape_too_short", "target_down", "zygote_died",
})  # fmt: skip
"""Kinds that are logged as warnings, so that they are still told where ``log.level`` is WARNING."""
RING = 10_000
"""Events kept in memory for whoever asks for the recent ones."""
UNWRITTEN = 10_000
"""Events kept for a database that cannot be written; beyond, the oldest are lost to it."""
RETRY = 5.0
"""Seconds between two attempts to write to a database that refused."""
PATIENCE = 1.0
"""Seconds that a reader waits, at most, for what was noted before it asked to be written."""


class EventLog:
    """Owns the numbering. ``start`` reads where it stood, ``stop`` writes what is left."""

    def __init__(
        self,
        store: DeploymentStore,
        in_database: InDatabase,
        wall: Callable[[], int] = time.time_ns,
        mark: HighMark | None = None,
    ) -> None:
        self._store = store
        self._in_database = in_database
        self._mark = mark
        self._wall = wall
        self._ring: deque[Event] = deque(maxlen=RING)
        self._broadcast: Broadcast[Event] = Broadcast()
        self._queued: deque[Event] = deque()
        self._unwritten: deque[Event] = deque(maxlen=UNWRITTEN)
        self._news = asyncio.Event()
        self._shown = asyncio.Event()
        """Set, and put another in its place, each time that something was published."""
        self._writing = 0
        """Number of the last event that is being written, or was."""
        self._task: asyncio.Task[None] | None = None
        self.seq = 0

    @property
    def published(self) -> int:
        """Number of the last event that anybody was shown, 0 for none."""
        return self._ring[-1].seq if self._ring else 0

    @property
    def unwritten(self) -> int:
        """Events published that the database does not have yet."""
        return len(self._unwritten)

    async def start(self) -> None:
        """Take up the numbering. Raises ``StoreError``."""
        kept, given = await self._in_database(self._recall)
        self._task = asyncio.create_task(self._write_on(), name="events")
        if given > kept:
            self.note("events_lost", f"{kept + 1} to {given}: the database did not take them, or lost them")

    def _recall(self) -> tuple[int, int]:
        kept = self._store.last_event()
        given = self._mark.open() if self._mark else kept
        self.seq = max(kept, given)
        self._ring.extend(self._store.newest_events(RING // 10))
        return kept, given

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
        if self._mark is not None:
            await self._in_database(self._mark.close)
        self._broadcast.close()

    async def _write_on(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), RETRY if self._unwritten else None)
            self._news.clear()
            await asyncio.shield(self._write())

    async def _write(self) -> None:
        fresh, again = list(self._queued), bool(self._unwritten)
        self._queued.clear()
        self._writing = fresh[-1].seq if fresh else 0
        rows = [*self._unwritten, *fresh]
        if rows:
            try:
                await self._in_database(lambda: self._keep(rows, again=again))
                self._unwritten.clear()
            except StoreError:
                self._unwritten.extend(fresh)
        self._ring.extend(fresh)
        self._broadcast.publish(fresh)
        self._shown.set()
        self._shown = asyncio.Event()

    async def _settled(self) -> None:
        """Wait until all that was noted so far is published, ``PATIENCE`` at most."""
        noted = self._queued[-1].seq if self._queued else self._writing
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.published < noted:
                    await self._shown.wait()

    def _keep(self, rows: list[Event], *, again: bool) -> None:
        if self._mark is not None:
            self._mark.rise(rows[-1].seq)
        if again:  # a server that went away may have taken them, and only the answer was lost
            last = self._store.last_event()
            rows = [row for row in rows if row.seq > last]
        if rows:
            self._store.add_events(rows)

    async def read(
        self, after: int | None = None, limit: int | None = None, *, follow: bool = False
    ) -> AsyncIterator[Event]:
        """Yield events numbered above ``after`` (at most ``limit``), else the last ``limit``.

        With ``follow`` all that come after them too: then ``limit`` bounds no more than the last ones. A
        follower that is cut off for being slow simply ends: it asks again with the number it got last. A
        number that was never given is of another log, of which this one is the next: all of it is yielded.
        """
        follower = self._broadcast.follow() if follow else None
        if not follow:  # who follows is told of them as they come
            await self._settled()
        try:
            last = 0 if after is None or after > self.seq else after
            size = RING if follow or limit is None else limit
            page = self._newest(limit) if after is None else await self._page(last, size)
            while page:
                for event in page:
                    last = event.seq
                    yield event
                whole = after is None or not follow or len(page) < size
                page = [] if whole else await self._page(last, size)
            if follower is not None:
                async for event in follower:
                    if event.seq > last:
                        yield event
        finally:
            if follower is not None:
                follower.close()

    async def of(self, since: Mapping[str, int], after: int | None, limit: int) -> list[Event]:
        """Return the first events of some deployments numbered above ``after``, or their last ones.

        Ascending, of each since an instant (unix ns), however many others have. Where the database cannot be
        read, what is in memory must do.
        """
        await self._settled()
        kept: list[Event] = []
        with contextlib.suppress(StoreError):
            kept = await self._in_database(
                lambda: (
                    self._store.newest_events(limit, since)
                    if after is None
                    else self._store.events(after, limit, since)
                )
            )
        newest = max((event.seq for event in kept), default=after or 0)
        whole = after is not None and len(kept) == limit
        fresh = [
            one
            for one in self._ring
            if one.seq > newest and one.deployment_id in since and one.at >= since[one.deployment_id]
        ]
        found = kept if whole else kept + fresh
        return found[-limit:] if after is None else found[:limit]

    def _newest(self, limit: int | None) -> list[Event]:
        ring = list(self._ring)
        return ring if limit is None else ring[len(ring) - min(limit, len(ring)) :]

    async def _page(self, after: int, size: int) -> list[Event]:
        ring = list(self._ring)
        found = [event for event in ring if event.seq > after]
        if not ring or ring[0].seq > after + 1:
            older: list[Event] = []
            with contextlib.suppress(StoreError):  # then what is in memory must do
                older = await self._in_database(lambda: self._store.events(after, size))
            newest = older[-1].seq if older else after
            found = older + [event for event in ring if event.seq > newest]
        return found[:size]
