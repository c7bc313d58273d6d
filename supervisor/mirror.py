"""The mirror in Redis: what survives the host. Filled from the journal by one task, never on anybody's path.

Rules of this file. The journal and the database here are the truth; Redis is a copy that can be made again.
``reconcile`` decides, purely, what a copy is worth, by the identity of the state directory that it is of
and by the journal's number up to which it goes: an empty, older or flushed Redis is filled again and never
believed; only a daemon whose own state directory is new believes it. Redis down, slow or paused delays
nothing: this task alone waits, tries again, and shows how far behind the copy is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec
from msgspec import Struct

from supervisor.broadcast import Broadcast
from supervisor.schema import MirrorView

RETRY_FIRST = 0.5
RETRY_CAP = 30.0
"""Seconds between two attempts to reach Redis: doubled each time."""
QUIET = 0.2
"""Seconds in which changes gather into one batch."""
BATCH = 1000
"""Signals in one batch."""


class Mark(Struct, frozen=True, kw_only=True):
    """What a copy is of: the ``identity`` of a state directory, and its journal's number ``seq``."""

    identity: str
    seq: int
    at: int = 0


class Worth(StrEnum):
    """What a copy is worth to this daemon."""

    EMPTY = "empty"  # nothing there: fill it
    OURS = "ours"  # ours, as old as we are or older: go on from its mark
    AHEAD = "ahead"  # ours, but newer than our journal: what we have was put back from somewhere
    FOREIGN = "foreign"  # of another state directory


def reconcile(theirs: Mark | None, ours: Mark) -> Worth:
    """Judge a copy by its mark, None where there is none."""
    if theirs is None:
        return Worth.EMPTY
    if theirs.identity != ours.identity:
        return Worth.FOREIGN
    return Worth.OURS if theirs.seq <= ours.seq else Worth.AHEAD


class Batch(Struct, frozen=True, kw_only=True):
    """What goes to Redis at once. Hash values are encoded; a None is deleted.

    ``reset``: it replaces the copy that is there, which is put aside.

    ``signals`` are (journal number, encoded), ascending: the number is the entry's id in the stream, so a
    batch that is sent twice is there once.
    """

    mark: Mark
    deployments: dict[str, bytes | None] = {}
    positions: dict[str, bytes | None] = {}
    checkpoints: dict[str, bytes | None] = {}
    signals: list[tuple[int, bytes]] = []
    reset: bool = False


class MirrorError(Exception):
    """Redis cannot be used now; the sentence says why, without its password."""


class MirrorStore(Protocol):
    """What is used of ``store.redis.RedisMirror``."""

    async def mark(self) -> Mark | None:
        """Return what the copy there is of."""
        ...

    async def write(self, batch: Batch) -> None:
        """Write all of a batch or nothing."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class Source(Protocol):
    """Where the truth is read from. Every method may read a disk, none may wait for a network."""

    def mark(self) -> Mark:
        """Return who we are and where the journal stands."""
        ...

    async def deployments(self) -> dict[str, bytes]:
        """Return every deployment with its standing, encoded, by id."""
        ...

    async def positions(self) -> dict[str, bytes]:
        """Return the holdings of every deployment, encoded, by id."""
        ...

    async def checkpoints(self) -> dict[str, bytes]:
        """Return the newest checkpoint of every deployment that has one, encoded, by id."""
        ...

    async def signals(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Return accepted signals numbered above ``after``, ascending, encoded."""
        ...


class Mirror:
    """One task that keeps the copy like the original. ``touch`` says that something changed."""

    def __init__(
        self,
        store: MirrorStore,
        source: Source,
        *,
        on_change: Callable[[str, str], None],
        retry_first: float = RETRY_FIRST,
        quiet: float = QUIET,
    ) -> None:
        self._store = store
        self._source = source
        self._on_change = on_change
        self._retry_first = retry_first
        self._quiet = quiet
        self._dirty = asyncio.Event()
        self._dirty.set()
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, dict[str, bytes]] = {}
        self._seq = 0
        self._known = False
        self._state = "down"
        self._detail = "not reached yet"
        self.moved: Broadcast[int] = Broadcast()
        """Publishes the number up to which the copy goes, each time it moved."""

    def start(self) -> None:
        """Begin to mirror."""
        self._task = asyncio.create_task(self._run(), name="mirror")

    def touch(self) -> None:
        """Something changed: a state, a position, a signal."""
        self._dirty.set()

    async def stop(self, grace: float) -> None:
        """Try once more to bring the copy up to date, for ``grace`` seconds, and let go of Redis."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        with contextlib.suppress(MirrorError, TimeoutError):
            await asyncio.wait_for(self._catch_up(), grace)
        self.moved.close()
        with contextlib.suppress(MirrorError):
            await self._store.close()

    def view(self) -> MirrorView:
        """Return how the copy is, and how many journal records behind."""
        lag = max(0, self._source.mark().seq - self._seq)
        state = "lagging" if self._state == "ok" and lag > BATCH else self._state
        return MirrorView(state=state, lag=lag, detail=self._detail)

    async def _run(self) -> None:
        delay = self._retry_first
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                await self._catch_up()
                delay = self._retry_first
                self._is("ok", "")
                await asyncio.sleep(self._quiet)
            except MirrorError as error:
                self._known = False
                self._dirty.set()
                self._is("down", str(error))
                await asyncio.sleep(delay)
                delay = min(RETRY_CAP, delay * 2)

    def _is(self, state: str, detail: str) -> None:
        if state != self._state or (state == "down" and self._detail == "not reached yet"):
            self._on_change(f"mirror_{state}", detail)
        self._state, self._detail = state, detail

    async def _catch_up(self) -> None:
        """Send everything that the copy lacks. The mark is asked first each time: it tells of a flush."""
        theirs, ours = await self._store.mark(), self._source.mark()
        worth = reconcile(theirs, ours)
        if worth is Worth.FOREIGN:
            raise MirrorError(
                "the copy there is of another state directory; point REDIS_URL at a database of its own, or "
                "flush this one if it is not needed"
            )
        known = self._known and worth is Worth.OURS and theirs is not None and theirs.seq == self._seq
        if not known:
            self._sent = {}
            self._seq = theirs.seq if worth is Worth.OURS and theirs is not None else 0
        await self._send(ours, reset=worth is not Worth.OURS)
        self._known = True

    async def _send(self, ours: Mark, *, reset: bool) -> None:
        hashes = {
            "deployments": await self._source.deployments(),
            "positions": await self._source.positions(),
            "checkpoints": await self._source.checkpoints(),
        }
        changes = {name: self._changes(name, rows) for name, rows in hashes.items()}
        while True:
            signals = await self._source.signals(self._seq, BATCH)
            done = len(signals) < BATCH
            seq = max(ours.seq, signals[-1][0] if signals else 0) if done else signals[-1][0]
            if reset or seq != self._seq or any(changes.values()):
                mark = msgspec.structs.replace(ours, seq=seq)
                await self._store.write(Batch(mark=mark, signals=signals, reset=reset, **changes))
                self.moved.publish([seq])
            self._sent.update(hashes)
            self._seq, reset, changes = seq, False, {}
            if done:
                return

    def _changes(self, name: str, rows: dict[str, bytes]) -> dict[str, bytes | None]:
        sent = self._sent.get(name)
        if sent is None:
            return dict(rows)
        changed: dict[str, bytes | None] = {key: row for key, row in rows.items() if sent.get(key) != row}
        changed.update(dict.fromkeys(sent.keys() - rows.keys()))
        return changed
