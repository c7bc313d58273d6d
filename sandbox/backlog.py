"""What waits for a strategy, in the order of its arrival, bounded. Pure.

Behind, ticks are conflated to the newest of each symbol; candles never are. Paused, ticks are dropped
and counted, candles wait apart and come first on the resume.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw, Struct

from bus.messages import encode
from sandbox.protocol import PIECE

CANDLE_QUEUE = 10_000
"""Candle messages that may wait for one strategy; the oldest is lost, and counted as a gap, past that."""

Ending: TypeAlias = Literal["", "welcome", "checkpoint", "stop"]
"""The command that ends a turn, so that the position of a checkpoint is exact."""


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


class Item(NamedTuple):
    """One message. ``last`` is its last sequence, ``at`` when it came (monotonic seconds).

    ``ticks`` is how many it holds, ``calls`` how many callbacks it may cause.
    """

    topic: bytes
    payload: bytes
    at: float
    calls: int = 1
    kind: Literal["ticks", "candles", "other"] = "other"
    last: int = 0
    ends: Ending = ""

    @property
    def ticks(self) -> int:
        """Ticks in it."""
        return self.calls if self.kind == "ticks" else 0


class Backlog:
    """Queue of one cell. ``conflated``, ``stale`` and ``lost`` count what its bounds cost."""

    def __init__(self, *, ticks: int, conflate: bool) -> None:
        self.paused = False
        self.conflated = 0
        """Ticks that a newer one of their symbol replaced."""
        self.stale = 0
        """Ticks dropped because the strategy was paused."""
        self.lost = 0
        """Ticks and candle messages that found their queue full: a gap to the strategy."""
        self._limit = ticks
        self._conflates = conflate
        self._queue: deque[Item] = deque()
        self._held: deque[Item] = deque()
        self._ticks = 0  # ticks in the queue
        self._candles = 0  # candle messages in the queue

    def __len__(self) -> int:
        return len(self._queue)

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
            return
        self._queue.append(item)
        self._ticks += item.calls
        if self._ticks > self._limit:
            self._relieve()

    def _push_candles(self, item: Item) -> None:
        if self.paused:
            self._held.append(item)
            if len(self._held) > CANDLE_QUEUE:
                self._held.popleft()
                self.lost += 1
            return
        self._queue.append(item)
        self._candles += 1
        if self._candles > CANDLE_QUEUE:
            del self._queue[next(i for i, queued in enumerate(self._queue) if queued.kind == "candles")]
            self._candles -= 1
            self.lost += 1

    def resume(self) -> None:
        """Let ticks in again, after the candles that were held."""
        self.paused = False
        self._queue.extend(self._held)
        self._candles += len(self._held)
        self._held.clear()

    def disown(self) -> None:
        """Forget the sequences of what waits: another run of the engine numbers anew."""
        self._queue = deque(item._replace(last=0) for item in self._queue)
        self._held = deque(item._replace(last=0) for item in self._held)

    # ---- behind -----------------------------------------------------------------------------------
    def _relieve(self) -> None:
        """Make room: the newest tick of each symbol stays, or where that is off, the newest half."""
        before = self._ticks
        self._queue = deque(self._conflate() if self._conflates else self._newest_half())
        self._ticks = sum(item.ticks for item in self._queue)
        if self._conflates:
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
