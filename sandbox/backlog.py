"""What waits for a strategy, in the order of its arrival, bounded. Pure.

Behind, ticks are conflated to the newest of each symbol; candles never are. Paused, ticks are dropped
and counted, candles wait apart and come first on the resume. Where a tape has everything again, nothing is
dropped for want of room: ``full`` says that it has to be read from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw, Struct

from bus.messages import encode
from sandbox.protocol import PIECE

CANDLE_QUEUE = 10_000
"""Candle messages that may wait for one strategy. Past that they are read from the tape again; where there
is none the oldest is lost, and counted as a gap."""

Ending: TypeAlias = Literal["", "welcome", "checkpoint", "question", "stop"]
"""The command that ends a turn, so that a checkpoint's position is exact, and an answer has one question."""


class RawTicks(Struct, array_like=True, frozen=True):
    """``bus.messages.Ticks`` with each tick left encoded."""

    epoch: int
    seq: int
    ticks: list[Raw]


_decode = msgspec.msgpack.Decoder(RawTicks).decode


def newest_of(payload: bytes, count: int) -> bytes:
    """Return an encoded ``Ticks`` with the last ``count`` of its ticks only."""
    whole = _decode(payload)
    skip = len(whole.ticks) - count
    return encode(RawTicks(whole.epoch, whole.seq + skip, whole.ticks[skip:]))


class Standing(NamedTuple):
    """What counts as had from here on, without anything to hand over: positions by topic, and an offset.

    ``whole``: of another numbering, that of ``tape``; nothing of before stands beside it.
    """

    position: Mapping[bytes, int] = {}
    at: int = 0
    tape: int = 0
    whole: bool = False


class Item(NamedTuple):
    """One message. ``last`` is its last sequence, ``at`` when it came (monotonic seconds).

    ``calls`` is how many callbacks it may cause; ``offset`` the one of the tape before which everything has
    been had with it, 0 for not known; ``pauses`` whether the strategy is paused from here on, None for as
    before. What is ``taped`` can be had again.
    """

    topic: bytes
    payload: bytes
    at: float
    calls: int = 1
    kind: Literal["ticks", "candles", "other", "standing"] = "other"
    last: int = 0
    ends: Ending = ""
    offset: int = 0
    pauses: bool | None = None
    taped: bool = False
    replayed: bool = False
    standing: Standing = Standing()
    request: int = 0
    """Number of the question that it is, or holds; 0 for none."""

    @property
    def ticks(self) -> int:
        """Ticks in it."""
        return self.calls if self.kind == "ticks" else 0


NOTHING: Final = Item(b"", b"", 0.0, 0, "standing")


class Backlog:
    """Queue of one cell. ``conflated``, ``stale`` and ``lost`` count what its bounds cost."""

    def __init__(self, *, ticks: int, conflate: bool) -> None:
        self.paused = False
        self.taped = False
        """There is a tape: what finds no room is not lost."""
        self.full = False
        """A message found no room, and is to be had from the tape, with all that follows."""
        self.spilled = False
        """Candles of this pause found no room; they are to be had from the tape when it ends."""
        self.draining = False
        """Those are coming now: they no longer wait for the resume."""
        self.conflated = 0
        """Ticks that a newer one of their symbol replaced."""
        self.stale = 0
        """Ticks dropped because the strategy was paused."""
        self.lost = 0
        """Ticks and candle messages that found their queue full: a gap to the strategy."""
        self.conflates = conflate
        self._limit = ticks
        self._queue: deque[Item] = deque()
        self._held: deque[Item] = deque()
        self._ticks = 0  # ticks in the queue
        self._candles = 0  # candle messages in the queue

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def holds(self) -> bool:
        """Whether candles wait for the end of a pause: then nobody has had everything up to here."""
        return bool(self._held) or self.spilled

    @property
    def room(self) -> bool:
        """Whether it is worth while to ask for more."""
        return 2 * self._ticks <= self._limit and not self.crowded

    @property
    def crowded(self) -> bool:
        """Whether so much waits that no conflation makes room: of what a tape has, no more is asked for."""
        return 2 * self._candles > CANDLE_QUEUE or len(self._queue) > CANDLE_QUEUE

    def takes(self, item: Item) -> bool:
        """Whether a message has room, so that none before it is lost or conflated."""
        if item.kind == "ticks":
            return self.paused or not self._ticks or self._ticks + item.calls <= self._limit
        return item.kind != "candles" or self._candles < CANDLE_QUEUE

    # ---- in ---------------------------------------------------------------------------------------
    def push(self, item: Item) -> None:
        """Add one message."""
        if item.kind == "ticks":
            self._push_ticks(item)
        elif item.kind == "candles":
            self._push_candles(item)
        else:
            self._queue.append(item)

    def _push_ticks(self, item: Item) -> None:
        if self.paused:
            self.stale += item.calls
            self.pass_over({item.topic: item.last}, item.offset)
            return
        if self.taped and not self.conflates and not self.takes(item):
            self.full = True
            return
        self._queue.append(item)
        self._ticks += item.calls
        if self._ticks > self._limit and (self.conflates or not self.taped):
            self._relieve()

    def _push_candles(self, item: Item) -> None:
        if self.paused and not self.draining:
            self._hold(item)
            return
        if self.taped and not self.takes(item):
            self.full = True
            return
        self._queue.append(item)
        self._candles += 1
        if self._candles > CANDLE_QUEUE:
            del self._queue[next(i for i, queued in enumerate(self._queue) if queued.kind == "candles")]
            self._candles -= 1
            self.lost += 1

    def _hold(self, item: Item) -> None:
        if self.spilled:
            return
        self._held.append(item)
        if len(self._held) <= CANDLE_QUEUE:
            return
        if item.taped:
            self.spilled = True
            self._held = deque(kept for kept in self._held if not kept.taped)
        else:
            self._held.popleft()
            self.lost += 1

    def pass_over(self, position: Mapping[bytes, int], offset: int = 0) -> None:
        """Have topics stand at ``position`` once what waits has been handed over."""
        offset = 0 if self.holds else offset
        last = self._queue[-1] if self._queue else None
        if last is not None and last.kind == "standing" and not last.standing.whole:
            self._queue.pop()
            position, offset = {**last.standing.position, **position}, offset or last.standing.at
        self._queue.append(NOTHING._replace(standing=Standing(position, offset)))

    def pass_over_candles(self, position: Mapping[bytes, int]) -> None:
        """The same for candles of others, in their place among those that a pause holds."""
        if not self.paused or self.draining or not self.holds:
            self.pass_over(position)
        elif not self.spilled:
            self._held.append(NOTHING._replace(standing=Standing(position)))

    def stand(self, standing: Standing) -> None:
        """Have everything stand elsewhere, behind what waits and the candles that a pause holds."""
        (self._held or self._queue).append(NOTHING._replace(standing=standing))

    def resume(self) -> None:
        """Let ticks in again, after the candles that were held."""
        self.paused = self.draining = False
        self._queue.extend(self._held)
        self._candles += sum(item.kind == "candles" for item in self._held)
        self._held.clear()

    def disown(self) -> None:
        """Forget the sequences of what waits: what comes now is numbered anew."""
        self._queue = deque(_disowned(item) for item in self._queue)
        self._held = deque(_disowned(item) for item in self._held)
        self.spilled = False

    def go_back(self, *, paused: bool, draining: bool) -> Standing | None:
        """Forget what waits and is on the tape; ``paused`` is what the strategy knows itself to be.

        Returns where what is left ends, None if that is where the strategy stands.
        """
        left = [item for item in (*self._queue, *self._held) if not item.taped]
        self._queue = deque(item for item in left if item.kind != "standing" or item.standing.whole)
        self._held.clear()
        self._ticks = sum(item.ticks for item in self._queue)
        self._candles = sum(item.kind == "candles" for item in self._queue)
        self.full = self.spilled = False
        self.paused, self.draining = paused, draining
        return next((item.standing for item in reversed(self._queue) if item.standing.whole), None)

    # ---- behind -----------------------------------------------------------------------------------
    def _relieve(self) -> None:
        """Make room: the newest tick of each symbol stays, or where that is off, the newest half."""
        before = self._ticks
        self._queue = deque(self._conflate() if self.conflates else self._newest_half())
        self._ticks = sum(item.ticks for item in self._queue)
        if self.conflates:
            self.conflated += before - self._ticks
        else:
            self.lost += before - self._ticks

    def _conflate(self) -> list[Item]:
        kept: list[Item] = []
        seen: set[bytes] = set()
        for item in reversed(self._queue):
            if item.kind != "ticks":
                kept.append(item)
            elif item.topic not in seen:
                seen.add(item.topic)
                kept.append(item._replace(payload=newest_of(item.payload, 1), calls=1))
            elif (
                kept[-1].kind == "standing" and not kept[-1].standing.whole
            ):  # counts as had, and in its place
                known = kept[-1].standing
                kept[-1] = NOTHING._replace(
                    standing=known._replace(position={item.topic: item.last, **known.position})
                )
            else:
                kept.append(NOTHING._replace(standing=Standing({item.topic: item.last})))
        return kept[::-1]

    def _newest_half(self) -> Iterator[Item]:
        surplus = self._ticks - self._limit // 2
        for item in self._queue:
            if item.kind == "ticks" and surplus > 0:
                surplus -= item.calls
            else:
                yield item

    # ---- out --------------------------------------------------------------------------------------
    def take(self, ticks: int) -> list[Item]:
        """Take the next turn: at most ``ticks`` ticks but one message at least, within one datagram."""
        queue = self._queue
        taken: list[Item] = []
        size = held = 0
        while queue:
            item = queue[0]
            size += len(item.payload) + len(item.topic) + 16
            if item.kind == "ticks":
                held += item.calls
            if taken and (size > PIECE or held > ticks):
                break
            taken.append(queue.popleft())
            if item.kind == "ticks":
                self._ticks -= item.calls
            elif item.kind == "candles":
                self._candles -= 1
            if item.ends:
                break
        return taken


def _disowned(item: Item) -> Item:
    return item._replace(last=0, offset=0, taped=False, standing=Standing())
