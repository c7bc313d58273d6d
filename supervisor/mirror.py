"""The mirror in Redis: what survives the host. Filled from the journal by one task, never on anybody's path.

Rules of this file. The journal and the database here are the truth; Redis is a copy that can be made again.
``reconcile`` decides, purely, what a copy is worth, by the identity of the state directory that it is of
and by the journal's number up to which it goes: an empty, older or flushed Redis is filled again and never
believed; only a daemon whose own journal is new believes it (``believable``). Redis down, slow or paused
delays nothing: this task alone waits, tries again, and shows how far behind the copy is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from supervisor.broadcast import Broadcast
from supervisor.schema import MirrorView
from supervisor.store.lineage import Ancestor
from supervisor.tasks import end_task

RETRY_FIRST = 0.5
RETRY_CAP = 30.0
"""Seconds between two attempts to reach Redis: doubled each time."""
QUIET = 0.2
"""Seconds in which changes gather into one batch."""
BATCH = 1000
"""Signals in one batch."""


class Mark(Struct, frozen=True, kw_only=True):
    """What a copy is of: the ``identity`` of a state directory, and its journal's number ``seq``.

    ``seq`` is how far the signals go, ``settled`` of what number the hashes are: less only while a copy is
    being caught up with, since signals go first. ``at`` is when it was written (unix ns).
    """

    identity: str
    seq: int
    settled: int = 0
    at: int = 0


class Worth(StrEnum):
    """What a copy is worth to this daemon."""

    EMPTY = "empty"  # nothing there: fill it
    OURS = "ours"  # ours, as old as we are or older: go on from its mark
    AHEAD = "ahead"  # ours, but newer than our journal: what we have was put back from somewhere
    PAST = "past"  # of the directory that ours was restored from, as it was before: put it aside
    LIVING = "living"  # of that directory, written to since: its daemon runs on
    FOREIGN = "foreign"  # of another state directory


def reconcile(theirs: Mark | None, ours: Mark, ancestor: Ancestor | None = None) -> Worth:
    """Judge a copy by its mark, None where there is none; ``ancestor`` is what we were restored from."""
    if theirs is None:
        return Worth.EMPTY
    if ancestor is not None and theirs.identity == ancestor.identity != ours.identity:
        return Worth.PAST if 0 < theirs.at < ancestor.at else Worth.LIVING
    if theirs.identity != ours.identity:
        return Worth.FOREIGN
    return Worth.OURS if theirs.seq <= ours.seq else Worth.AHEAD


def believable(theirs: Mark | None, identity: str | None, seq: int | None) -> bool:
    """Whether a copy is to be put back: only into a journal that is new, only if it may be ours.

    ``identity`` is the state directory's, None while it has none; ``seq`` the newest number of the journal
    in it, None where there is no file.
    """
    if theirs is None or seq or (identity is not None and identity != theirs.identity):
        return False
    return seq is None or theirs.seq > 0


class Entry(Struct, frozen=True):
    """An accepted signal in the stream; ``seq``, the journal's number, is its id there.

    ``signal`` is what the world reads, ``record`` the journal's own, which only a recovery reads.
    """

    seq: int
    signal: bytes
    record: bytes = b""


class Batch(Struct, frozen=True, kw_only=True):
    """What goes to Redis at once. ``hashes`` by name: encoded rows by id; a None is deleted.

    ``replaced`` names hashes that are given whole: what is not in them goes. ``reset``: the batch replaces
    the copy that is there, which is put aside. ``signals`` ascend; one that is sent twice is there once.
    """

    mark: Mark
    hashes: dict[str, dict[str, bytes | None]] = {}
    replaced: set[str] = set()
    signals: list[Entry] = []
    reset: bool = False


class Picture(Struct, frozen=True, kw_only=True):
    """What was read for the copy, all of it as of record ``seq``.

    ``hashes`` by name: every row, encoded, by id; None while there are more signals than were asked for.
    """

    seq: int
    signals: list[Entry]
    hashes: dict[str, dict[str, bytes]] | None


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


_REFUSED: Final = {
    Worth.FOREIGN: (
        "the copy there is of another state directory; point REDIS_URL at a database of its own, or flush "
        "this one if it is not needed"
    ),
    Worth.LIVING: (
        "the copy there is of the state directory that this one was restored from, and was written to since: "
        "a daemon runs on that one; stop it and flush the copy, or point REDIS_URL at a database of its own"
    ),
}


class Source(Protocol):
    """Where the truth is read from. Every method may read a disk, none may wait for a network."""

    @property
    def seq(self) -> int:
        """Where the journal stood when it was last heard of."""
        ...

    async def mark(self) -> Mark:
        """Return who we are and where the journal stands now."""
        ...

    async def look(self, after: int, limit: int) -> Picture:
        """Return everything, of accepted signals those numbered above ``after``, at most ``limit``."""
        ...


class Mirror:
    """One task that keeps the copy like the original. ``touch`` says that something changed.

    ``put_aside``: the copy that is there is kept apart before it is written to for the first time.
    ``ancestor``: so is one of the state directory that this one was restored from.
    """

    def __init__(
        self,
        store: MirrorStore,
        source: Source,
        *,
        on_change: Callable[[str, str], None],
        put_aside: bool = False,
        ancestor: Ancestor | None = None,
        retry_first: float = RETRY_FIRST,
        quiet: float = QUIET,
    ) -> None:
        self._store = store
        self._source = source
        self._on_change = on_change
        self._put_aside = put_aside
        self._ancestor = ancestor
        self._retry_first = retry_first
        self._quiet = quiet
        self._dirty = asyncio.Event()
        self._dirty.set()
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, dict[str, bytes]] = {}
        self._seq = 0
        self._settled = 0
        self._known = False
        self._state = "down"
        self._detail = "not reached yet"
        self.moved: Broadcast[int] = Broadcast()
        """Publishes the number up to which the copy goes, each time it moved."""

    def start(self) -> None:
        """Begin to mirror."""
        self._task = asyncio.create_task(self._run(), name="mirror")

    def keep_apart(self) -> None:
        """Put the copy that is there aside before it is written to again: not all of it came back."""
        self._put_aside = True

    def touch(self) -> None:
        """Something changed: a state, a position, a signal."""
        self._dirty.set()

    async def stop(self, grace: float) -> None:
        """Try once more to bring the copy up to date, for ``grace`` seconds, and let go of Redis."""
        await end_task(self._task)
        with contextlib.suppress(MirrorError, TimeoutError):
            await asyncio.wait_for(self._catch_up(), grace)
        self.moved.close()
        with contextlib.suppress(MirrorError):
            await self._store.close()

    def view(self) -> MirrorView:
        """Return how the copy is, and how many journal records behind."""
        lag = max(0, self._source.seq - self._seq)
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
        theirs, ours = await self._store.mark(), await self._source.mark()
        worth = reconcile(theirs, ours, self._ancestor)
        if worth in _REFUSED:
            raise MirrorError(_REFUSED[worth])
        reset = theirs is None or worth is not Worth.OURS or self._put_aside
        if theirs is None or reset:
            self._sent, self._seq, self._settled = {}, 0, 0
        elif not self._known or theirs.seq != self._seq:
            self._sent, self._seq, self._settled = {}, theirs.seq, theirs.settled
        await self._send(ours, reset=reset)
        self._known = True
        if worth is Worth.PAST and theirs is not None:
            self._on_change(
                "mirror_replaced",
                f"the copy of {theirs.identity}, which this state directory was restored from, is put aside: "
                f"it goes to record {theirs.seq} and is kept for 30 days under stratd:superseded:",
            )

    async def _send(self, ours: Mark, *, reset: bool) -> None:
        """Send signals first, page by page, and with the last page what they led to."""
        done = False
        while not done:
            picture = await self._source.look(self._seq, BATCH)
            done = picture.hashes is not None
            rows = picture.hashes or {}
            changes = {name: self._changes(name, mine) for name, mine in rows.items()}
            replaced = rows.keys() - self._sent.keys()
            settled = picture.seq if done else self._settled
            if reset or replaced or picture.seq != self._seq or any(changes.values()):
                batch = Batch(
                    mark=msgspec.structs.replace(ours, seq=picture.seq, settled=settled),
                    hashes=changes,
                    replaced=replaced,
                    signals=picture.signals,
                    reset=reset,
                )
                await self._store.write(batch)
                self.moved.publish([picture.seq])
            self._sent.update(rows)
            self._seq, self._settled, self._put_aside, reset = picture.seq, settled, False, False

    def _changes(self, name: str, rows: dict[str, bytes]) -> dict[str, bytes | None]:
        sent = self._sent.get(name, {})
        changed: dict[str, bytes | None] = {key: row for key, row in rows.items() if sent.get(key) != row}
        changed.update(dict.fromkeys(sent.keys() - rows.keys()))
        return changed
