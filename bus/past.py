"""The closed candles of one symbol, for warm-up: those of this engine, and an archive's from before it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile

from bus.messages import Candle
from bus.shared import Archive

HISTORY = 2000
"""Closed candles kept a symbol and timeframe, for warm-up."""


class Past:
    """``HISTORY`` candles of each timeframe; the archive is read when they are first asked for."""

    __slots__ = ("_archive", "_candles", "_symbol", "_unread")

    def __init__(self, symbol: str, archive: Archive) -> None:
        self._symbol = symbol
        self._archive = archive
        self._candles: dict[str, deque[Candle]] = {}
        self._unread: dict[str, int] = {}

    def __contains__(self, timeframe: str) -> bool:
        return timeframe in self._candles

    def __iter__(self) -> Iterator[str]:
        return iter(self._candles)

    def __getitem__(self, timeframe: str) -> deque[Candle]:
        """Those of this engine."""
        return self._candles[timeframe]

    def begin(self, timeframe: str, until: int) -> None:
        """Take candles of a timeframe from now on; those that closed by ``until`` are in the archive."""
        self._candles[timeframe] = deque(maxlen=HISTORY)
        self._unread[timeframe] = until

    def add(self, candles: Sequence[Candle]) -> None:
        """Keep what has closed."""
        for candle in candles:
            self._candles[candle.timeframe].append(candle)
        self._archive.add(candles)

    def of(self, timeframe: str, fits: Callable[[Candle], bool]) -> deque[Candle]:
        """Return the candles of a timeframe, ascending.

        Of those from the archive, the newest up to one that does not fit: the archive keeps what was made
        before the feed was set otherwise, and what comes before that would have a hole in it.
        """
        kept = self._candles[timeframe]
        until = self._unread.pop(timeframe, None)
        if until is None:
            return kept
        if kept:  # a first tick out of order begins earlier than it was thought to
            until = min(until, kept[0].open_time)
        room = HISTORY - len(kept)
        self._archive.flush()
        past = self._archive.last(self._symbol, timeframe, HISTORY)
        ours = takewhile(fits, (candle for candle in reversed(past) if candle.close_time <= until))
        kept.extendleft(islice(ours, room))
        return kept

    def clear(self) -> None:
        """Forget them all; the archive keeps what it has."""
        self._candles.clear()
        self._unread.clear()
