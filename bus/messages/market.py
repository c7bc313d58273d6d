"""Market data: from a feed to the engine, and from the engine to every cell that reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from bus.messages.scalars import Count, Nanos, Price, PriceKind, Size, Symbol, TimeframeId, VolumeKind


class Tick(Struct, array_like=True, frozen=True, gc=False):
    """One trade or quote. The element order is the native feed's (docs/feeds.md).

    ``seq`` is the publisher's own per-symbol counter. ``flags`` is the engine's: see ``TICK_*``.
    """

    symbol: Symbol
    ts: Nanos
    last: Price | None = None
    size: Size | None = None
    bid: Price | None = None
    ask: Price | None = None
    bid_size: Size | None = None
    ask_size: Size | None = None
    seq: Count | None = None
    trade_id: Annotated[str, Meta(max_length=64)] | None = None
    flags: Count = 0

    @property
    def mid(self) -> float | None:
        """Half way between bid and ask, or None while one side is unknown."""
        return None if self.bid is None or self.ask is None else (self.bid + self.ask) / 2

    @property
    def price(self) -> float | None:
        """The last trade, else the mid, else whichever side is known."""
        return self.last or self.mid or self.bid or self.ask


TICK_OUT_OF_SESSION = 1
"""The tick fell outside every session of its calendar: delivered to ``on_tick``, in no candle."""
TICK_LATE = 2
"""The tick belongs to a candle already closed: delivered to ``on_tick``, in no candle."""
TICK_VOLUME_UNKNOWN = 4
"""First reading of a day counter of volume: there is no baseline, so the candle is partial."""


class Bar(Struct, array_like=True, frozen=True, gc=False):
    """A candle that a feed made itself (``bar.*`` of the native feed, ``candles`` of cryptofeed)."""

    symbol: Symbol
    timeframe: TimeframeId
    open_time: Nanos
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    closed: bool


class Heartbeat(Struct, array_like=True, frozen=True):
    """A feed lives though nothing trades; ``last_seq`` tells gaps of symbols that went quiet.

    ``recovery`` is the endpoint at which the publisher serves what a subscriber has missed, "" for none.
    """

    ts: Nanos
    last_seq: dict[str, int] = {}
    recovery: Annotated[str, Meta(max_length=256)] = ""


class Candle(Struct, array_like=True, frozen=True, gc=False):
    """One candle over ``[open_time, close_time)``, identified by (symbol, timeframe, open_time).

    ``turnover`` is the sum of price times size, None where sizes are unknown. ``closed=False`` is the
    forming candle, never part of a history; then ``as_of`` is the event time it includes.
    """

    symbol: Symbol
    timeframe: TimeframeId
    open_time: int
    close_time: int
    open: Price
    high: Price
    low: Price
    close: Price
    volume: Size
    trades: Count = 0
    turnover: float | None = None
    price_kind: PriceKind = "last"
    volume_kind: VolumeKind = "trade"
    closed: bool = True
    partial: bool = False
    synthetic: bool = False
    quality: Literal["ok", "incomplete"] = "ok"
    backfilled: bool = False
    revision: Count = 0
    as_of: int = 0

    @property
    def vwap(self) -> float | None:
        """Volume-weighted average price, or None without volume or turnover."""
        return self.turnover / self.volume if self.turnover is not None and self.volume > 0 else None


class Ticks(Struct, array_like=True, frozen=True):
    """Topic ``tick|SYMBOL|``: the ticks of one symbol that one turn of the engine's loop had ready.

    ``seq`` numbers ticks per topic from 1, over all runs of the engine that go on with one tape
    (supervisor/store/tape.py); it is that of the first tick here, and the next message's is
    ``seq + len(ticks)``. ``epoch`` names the run of the engine that published it.
    """

    epoch: int
    seq: int
    ticks: list[Tick]


class Candles(Struct, array_like=True, frozen=True):
    """Topic ``candle|SYMBOL|``: every candle of the symbol that closed at ``as_of``, ascending timeframe.

    One message a boundary, so that a strategy sees all timeframes of one instant or none. ``seq``
    numbers messages per topic from 1, as with ``Ticks``.
    """

    epoch: int
    seq: int
    as_of: int
    candles: list[Candle]


class Pulse(Struct, array_like=True, frozen=True):
    """Topic ``pulse||``, once a second: the engine lives, and ``now`` is its event time.

    ``last`` holds the last sequence of each topic that moved since the one before, every tenth time of all.
    ``at`` is an offset on the tape: what lies before it was published before this.
    """

    epoch: int
    now: int
    last: dict[str, int]
    at: int = 0


class FeedStatus(Struct, array_like=True, frozen=True):
    """Topic ``feed|NAME|``: the health of a feed changed. ``symbols`` empty means all of the feed's."""

    feed: str
    state: Literal["healthy", "stale", "gap", "disconnected"]
    at: int
    detail: str = ""
    symbols: list[str] = []
