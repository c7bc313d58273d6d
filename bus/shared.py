"""What the streams of a market have in common: where they come from, where they go, what is kept of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from bus import topics
from bus.candles import SymbolCandles
from bus.captured import StreamState
from bus.clock import FeedClock
from bus.messages import Bar, Candle, Candles, Tick
from bus.sessions import SessionCalendar
from bus.timeframes import Timeframe

Send = Callable[[bytes], object]

_decode_candles = msgspec.msgpack.Decoder(Candles).decode


class Source(Protocol):
    """What brings ticks: a feed, which knows its clock and how candles of its symbols are built."""

    name: str
    clock: FeedClock
    calendar: SessionCalendar

    def candles(self, symbol: str, timeframes: Sequence[Timeframe], sample: Tick | Bar) -> SymbolCandles:
        """Build the candles of one symbol from now on; ``sample`` is the first that was heard of it."""
        ...


class Archive(Protocol):
    """Where closed candles outlive the engine (supervisor/store/history.py)."""

    def add(self, candles: Iterable[Candle]) -> None:
        """Keep closed candles; one of the same id takes the place of the first."""
        ...

    def last(self, symbol: str, timeframe: str, count: int) -> list[Candle]:
        """Return the newest of one series, ascending."""
        ...

    def flush(self) -> None:
        """Have what was added outlive the process."""
        ...


class NoArchive:
    """Keeps nothing."""

    def add(self, candles: Iterable[Candle]) -> None:
        """Forget them."""

    def last(self, symbol: str, timeframe: str, count: int) -> list[Candle]:  # noqa: ARG002  (as Archive)
        """Return none."""
        return []

    def flush(self) -> None:
        """Do nothing."""


class Shared:
    """What all streams of a market share.

    ``send`` takes what is published, ``record`` what only the next engine is to know. ``untold`` symbols
    have changed in a way that nothing published tells.
    """

    __slots__ = ("archive", "epoch", "record", "send", "untold")

    def __init__(self, epoch: int, send: Send, record: Send | None, archive: Archive) -> None:
        self.epoch = epoch
        self.send = send
        self.record = record
        self.archive = archive
        self.untold: set[str] = set()

    def remember(self, state: StreamState, frames: Iterable[bytes]) -> None:
        """Put into the archive what closed before a state or among ``frames``, and may not be there yet."""
        topic = topics.candle(state.symbol)
        self.archive.add(state.withheld)
        for frame in frames:
            if frame.startswith(topic):
                self.archive.add(_decode_candles(frame[len(topic) :]).candles)
