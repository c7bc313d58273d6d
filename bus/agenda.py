"""Which symbols of a feed may have a candle to close by now, without looking at every one. Pure.

A heap a kind of clock: by the feed's watermark and by its timer. A symbol's own ticks close its candles
and only move its instants on, so nobody has to say so here: an entry that has moved is put back when its
old instant comes. Only what comes EARLIER than noted must be noted anew (``note``).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

NEVER = 2**63 - 1


class Closing(Protocol):
    """A symbol with candles: when the next one may have to close, in event time (ns), or ``NEVER``."""

    symbol: str
    next_close: int
    """By the watermark."""

    def next_wall(self) -> int:
        """By the timer."""
        ...


class _Deadlines:
    """One heap of (instant, symbol); ``at`` tells the present instant of a symbol."""

    __slots__ = ("_at", "_heap", "_noted")

    def __init__(self, at: Callable[[Closing], int]) -> None:
        self._at = at
        self._heap: list[tuple[int, str, Closing]] = []
        self._noted: dict[str, int] = {}

    def note(self, one: Closing) -> None:
        at = self._at(one)
        if self._noted.get(one.symbol) == at:
            return
        self._noted[one.symbol] = at
        if at != NEVER:
            heapq.heappush(self._heap, (at, one.symbol, one))

    def drop(self, symbol: str) -> None:
        self._noted.pop(symbol, None)

    def take(self, now: int) -> dict[str, Closing]:
        """Take out what is due at ``now``; what has moved on since it was noted is noted as it is."""
        due: dict[str, Closing] = {}
        heap, noted = self._heap, self._noted
        while heap and heap[0][0] <= now:
            at, symbol, one = heapq.heappop(heap)
            if noted.get(symbol) != at:
                continue  # noted anew, or dropped
            del noted[symbol]
            if self._at(one) <= now:
                due[symbol] = one
            else:
                self.note(one)
        return due

    @property
    def next(self) -> int:
        heap, noted = self._heap, self._noted
        while heap and noted.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else NEVER


class Agenda:
    """The symbols of one clock by their instants; what it says comes next may be early, never late."""

    __slots__ = ("_by_timer", "_by_watermark")

    def __init__(self) -> None:
        self._by_watermark = _Deadlines(lambda one: one.next_close)
        self._by_timer = _Deadlines(lambda one: one.next_wall())

    def note(self, one: Closing) -> None:
        """Take note of a symbol, or that its instants may be earlier than they were."""
        self._by_watermark.note(one)
        self._by_timer.note(one)

    def drop(self, symbol: str) -> None:
        """Forget a symbol: it goes by another clock from now on."""
        self._by_watermark.drop(symbol)
        self._by_timer.drop(symbol)

    def take(self, watermark: int, now: int) -> list[Closing]:
        """Take out what is due by the watermark or at ``now``, to be noted again once it was closed."""
        due = self._by_watermark.take(watermark)
        return list((due | self._by_timer.take(now)).values())

    @property
    def next_close(self) -> int:
        """Watermark at which something may have to close."""
        return self._by_watermark.next

    @property
    def next_wall(self) -> int:
        """Event time at which the timer may have to close something."""
        return self._by_timer.next
