"""The market of one orchestrator: ticks in, closed candles out, by the rules of the daemon's engine.

Time is that of the data alone: candles close when a tick of their symbol passes their end, or when the data
of others has passed it by the grace that a feed gives; no clock of this machine closes anything. So the same
ticks give the same candles, whenever they are put in. Pure: no IO.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Struct

from bus import timeframes, topics
from bus.candles import SymbolCandles
from bus.clock import FeedClock
from bus.market import Market
from bus.messages import DECODE_ERRORS, Bar, Candle, Candles, Tick, encode
from bus.messages.scalars import PriceKind
from bus.sessions import SessionCalendar
from bus.timeframes import Timeframe
from supervisor.embedding.errors import BadData

Price: TypeAlias = PriceKind | Literal["auto"]
UNTIMED: Final = 0
"""The monotonic time of everything here: then the clock of a feed is its watermark."""

_decode_tick = msgspec.msgpack.Decoder(Tick).decode
_decode_candle = msgspec.msgpack.Decoder(Candle).decode
_decode_candles = msgspec.msgpack.Decoder(Candles).decode


class Moved(Struct, frozen=True):
    """What one tick did to the market, in the order in which strategies are told.

    First the candles of its symbol that it closed, then itself with its flags, then what its time closed of
    quiet symbols. One ``Candles`` is all that closed of one symbol at one instant.
    """

    before: list[Candles]
    tick: Tick
    after: list[Candles]

    @property
    def events(self) -> list[Tick | Candles]:
        """All of it, in order."""
        return [*self.before, self.tick, *self.after]

    @property
    def closed(self) -> list[Candle]:
        """Every candle that closed, in order."""
        return [candle for group in (*self.before, *self.after) for candle in group.candles]


class _Origin:
    """Where the symbols of one calendar come from, as ``bus.shared.Source`` has it."""

    name = "embedded"

    def __init__(self, clock: FeedClock, calendar: SessionCalendar, price: Price) -> None:
        self.clock = clock
        self.calendar = calendar
        self._price = price

    def candles(self, symbol: str, timeframes: Sequence[Timeframe], sample: Tick | Bar) -> SymbolCandles:
        """Build the candles of one symbol, ``auto`` as a native feed has it: quotes alone give the mid."""
        price = self._price
        if price == "auto":
            price = "mid" if isinstance(sample, Tick) and sample.last is None else "last"
        return SymbolCandles(symbol, timeframes, self.calendar, price=price)


class Quotes:
    """All symbols. ``calendar`` tells the trading hours of one; ``price`` is what candles are made of."""

    def __init__(self, calendar: Callable[[str], SessionCalendar], price: Price = "auto") -> None:
        self.times: dict[str, int] = {}
        """Event time of each symbol, ns."""
        self.last: dict[str, Tick] = {}
        """The last tick of each."""
        self.counts: Counter[str] = Counter()
        """How many ticks of each there were."""
        self._calendar = calendar
        self._price = price
        self._clock = FeedClock()
        self._frames: list[bytes] = []
        self._market = Market(1, self._frames.append)

    @property
    def now(self) -> int:
        """Event time of the newest data, 0 before any."""
        return max(self.times.values(), default=0)

    def want(self, symbols: Sequence[str], names: Sequence[str]) -> None:
        """Build these timeframes of these symbols from now on."""
        wanted = [timeframes.parse(name) for name in names]
        for symbol in symbols:
            self._market.want(symbol, wanted)

    def take(self, tick: Tick) -> Moved:
        """Put in a tick that ``checked`` has let through."""
        stream = self._market.stream(tick.symbol)
        if stream.source is None:
            stream.adopt(_Origin(self._clock, self._calendar(tick.symbol), self._price), tick)
        tick = self._market.take(stream, tick)
        self._market.flush()
        before = self._closed()
        self._clock.advance(tick.ts, UNTIMED)
        if self._clock.watermark >= self._clock.agenda.next_close:
            self._market.close_by(self._clock, UNTIMED)
        self.last[tick.symbol] = tick
        self.counts[tick.symbol] += 1
        self._passed(tick.symbol, tick.ts)
        return Moved(before, tick, self._closed())

    def take_candle(self, candle: Candle) -> None:
        """Know of a candle that was closed elsewhere: time has passed."""
        self._passed(candle.symbol, candle.close_time)

    def _passed(self, symbol: str, at: int) -> None:
        self.times[symbol] = max(at, self.times.get(symbol, 0))

    def _closed(self) -> list[Candles]:
        frames, self._frames[:] = list(self._frames), []
        found = []
        for frame in frames:
            topic = topics.of(frame)
            if topic.startswith(b"candle|"):
                found.append(_decode_candles(frame[len(topic) :]))
        return found


def checked_tick(tick: Tick) -> Tick:
    """Return a tick whose every field is what it may be. ``BadData`` names the first that is not."""
    try:
        good: Tick = _decode_tick(encode(tick))
    except (*DECODE_ERRORS, TypeError, OverflowError) as error:
        raise BadData(f"tick of {tick.symbol!r} at {tick.ts!r}: {error}") from None
    return _named(good)


def checked_candle(candle: Candle) -> Candle:
    """Return a candle whose every field is what it may be, and that is over. ``BadData`` says what is not."""
    about = f"candle {candle.timeframe!r} of {candle.symbol!r} at {candle.open_time!r}"
    try:
        good: Candle = _decode_candle(encode(candle))
    except (*DECODE_ERRORS, TypeError, OverflowError) as error:
        raise BadData(f"{about}: {error}") from None
    if not good.closed or good.close_time <= good.open_time:
        raise BadData(f"{about}: only a closed candle is told, and its close_time is after its open_time")
    if not good.low <= min(good.open, good.close) <= max(good.open, good.close) <= good.high:
        raise BadData(f"{about}: open and close lie between low and high, not {good.open}, {good.close}")
    return _named(good)


T = TypeVar("T", Tick, Candle)


def _named(good: T) -> T:
    if not topics.is_symbol(good.symbol):
        raise BadData(f"{good.symbol!r} is no symbol: {topics.SYMBOL_ALLOWED}")
    return good
