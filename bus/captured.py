"""What a restart must know again of open candles, streams and feeds: small frozen structs, no history.

Rules of this file. Everything that decides what comes out later is here, and nothing that follows from the
rest or from the settings. All are MessagePack arrays, as in bus/messages.py, so a new field goes to the end
and has a default. An open candle takes some 150 bytes: these are written every few seconds.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from bus.messages import Bar, Candle, PriceKind, Tick, VolumeKind

PARTIAL, TAINTED, UNSIZED = 1, 2, 4
"""Bits of ``OpenCandle.flags``."""
SPANS = 32
"""Newest stretches a timeframe that are remembered as lacking data."""


class Traded(Struct, array_like=True, frozen=True, gc=False):
    """The trades in an open candle. ``sizes`` and ``values`` are few terms with exactly their sums."""

    open: float
    high: float
    low: float
    close: float
    first_ts: int
    first_seq: int
    last_ts: int
    last_seq: int
    trades: int
    sizes: tuple[float, ...]
    values: tuple[float, ...]


class OpenCandle(Struct, array_like=True, frozen=True, gc=False):
    """An interval that is not closed; ``traded`` is None while it is empty."""

    open_time: int
    close_time: int
    flags: int = 0
    traded: Traded | None = None


class LastClosed(Struct, array_like=True, frozen=True, gc=False):
    """Of the last closed candle, what a feed's own bar is compared with."""

    open_time: int
    close_time: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class SeriesState(Struct, array_like=True, frozen=True):
    """One timeframe; ``source`` is the one that feeds it, "" for a root."""

    timeframe: str
    source: str
    current: OpenCandle
    ahead: tuple[OpenCandle, ...] = ()
    last: LastClosed | None = None


class LineState(Struct, array_like=True, frozen=True):
    """The timeframes of a symbol, ascending. ``outage`` is (since, until).

    ``missing`` and ``asked`` are the ``SPANS`` newest of what history was to bring.
    """

    series: tuple[SeriesState, ...]
    started: bool
    closed_to: int
    price: float | None
    outage: tuple[int, int]
    missing: dict[str, tuple[tuple[int, int], ...]] = {}
    asked: tuple[tuple[str, int, int], ...] = ()


class BookState(Struct, array_like=True, frozen=True):
    """All candles of one symbol, as ``SymbolCandles`` has them. ``hot`` is where ticks are taken at once."""

    price_kind: PriceKind
    volume_kind: VolumeKind
    line: LineState
    source: Literal["none", "ticks", "bars"]
    bar_timeframe: str
    since: int | None
    covered_to: int
    bars_to: int
    hot: tuple[int, int]
    counts: dict[str, int]


class StreamState(Struct, array_like=True, frozen=True):
    """One symbol, after everything that was published of it.

    ``feed`` brings it, "" while none does; it began there with ``tick`` or ``bar``. ``withheld`` are the
    candles for histories only that closed since the last of these. ``behind`` are frames that were not
    taken in yet, for the feed is not there. Only of one that was ``read`` ever is all that came published
    or recorded; of the others the numbers mean nothing to anybody.
    """

    symbol: str
    tick_seq: int = 0
    candle_seq: int = 0
    feed: str = ""
    tick: Tick | None = None
    bar: Bar | None = None
    reached: int = 0
    asked: tuple[str, ...] = ()
    book: BookState | None = None
    withheld: tuple[Candle, ...] = ()
    behind: tuple[bytes, ...] = ()
    read: bool = False


class MarketState(Struct, array_like=True, frozen=True):
    """All symbols."""

    streams: tuple[StreamState, ...] = ()
