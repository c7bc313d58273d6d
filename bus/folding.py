"""What goes into a candle (candles.md rule 3): trades, or the candles of a smaller timeframe.

``SymbolCandles.add`` (bus/candles.py) writes the attributes of an ``Accumulator`` itself, because a
call a tick would cost as much as the fold. Sums are exact: sizes are kept as terms and added once by
``math.fsum``, so that no order of arrival can change the last bit of a volume.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum, inf
from typing import Self

from msgspec import Struct

from bus.captured import PARTIAL, TAINTED, UNSIZED, OpenCandle, Traded
from bus.messages import Candle, PriceKind, VolumeKind

COMPACT_AT = 1024
"""Terms kept before they are summed: bounds the memory of a busy day, costs some 10 us each time."""

_NEVER = 2**63


class Stream(Struct, frozen=True):
    """What all candles of one symbol share: rule 3 forbids to mix prices of two kinds."""

    symbol: str
    price_kind: PriceKind = "last"
    volume_kind: VolumeKind = "trade"


class Accumulator:
    """The content of one candle while it may still change; empty until something is put in.

    ``first`` and ``last`` are the (t, seq) of open and close. ``terms`` are the sizes and ``values``
    price times size, both partly summed. ``counted`` trades are no longer in ``terms``; ``carried``
    terms are sums. ``tainted``: the feed was unhealthy at some time of the interval.
    """

    __slots__ = (
        "carried", "close", "close_time", "counted", "empty", "first_seq", "first_ts", "high", "last_seq",
        "last_ts", "low", "open", "open_time", "partial", "tainted", "terms", "unsized", "values",
    )  # fmt: skip

    def __init__(self, open_time: int, close_time: int) -> None:
        self.open_time = open_time
        self.close_time = close_time
        self.empty = True
        self.open = self.close = 0.0
        self.high, self.low = -inf, inf
        self.first_ts = self.first_seq = _NEVER
        self.last_ts = self.last_seq = -1
        self.terms: list[float] = []
        self.values: list[float] = []
        self.counted = self.carried = 0
        self.unsized = self.partial = self.tainted = False

    @property
    def trades(self) -> int:
        """Trades folded in so far."""
        return self.counted + len(self.terms) - self.carried

    def put(self, ts: int, seq: int, price: float) -> None:
        """Take the (t, seq) order and the extremes of one trade; its size goes to ``terms``."""
        self.empty = False
        if (ts, seq) >= (self.last_ts, self.last_seq):
            self.last_ts, self.last_seq, self.close = ts, seq, price
        if (ts, seq) < (self.first_ts, self.first_seq):
            self.first_ts, self.first_seq, self.open = ts, seq, price
        self.high = max(self.high, price)
        self.low = min(self.low, price)

    def fold(self, candle: Candle) -> None:
        """Fold in a candle that lies wholly inside this one's interval.

        A synthetic one says only that nothing traded, so it changes nothing: a candle opens with a
        trade (rule 3) whether or not its first minute was empty.
        """
        self.partial |= candle.partial
        self.tainted |= candle.quality != "ok"
        if candle.synthetic:
            return
        self.put(candle.open_time, 0, candle.open)
        self.put(candle.close_time - 1, _NEVER, candle.close)
        self.high = max(self.high, candle.high)
        self.low = min(self.low, candle.low)
        self.terms.append(candle.volume)
        self.carried += 1
        self.counted += candle.trades
        if candle.turnover is None:
            self.unsized = True
        else:
            self.values.append(candle.turnover)

    def absorb(self, other: Accumulator) -> None:
        """Fold in what a smaller interval holds so far, not yet rounded into a candle."""
        self.partial |= other.partial
        self.tainted |= other.tainted
        self.unsized |= other.unsized
        if other.empty:
            return
        self.put(other.first_ts, other.first_seq, other.open)
        self.put(other.last_ts, other.last_seq, other.close)
        self.high = max(self.high, other.high)
        self.low = min(self.low, other.low)
        self.counted += other.trades
        self.terms.append(fsum(other.terms))
        self.values.append(fsum(other.values))
        self.carried += 1

    def compact(self) -> None:
        """Replace the terms by few whose sum is exactly the same."""
        self.counted = self.trades
        self.terms = _exact(self.terms)
        self.carried = len(self.terms)
        self.values = _exact(self.values)

    def copy(self) -> Accumulator:
        """Return one that can be folded into without changing this one."""
        other = Accumulator(self.open_time, self.close_time)
        for name in self.__slots__:
            setattr(other, name, getattr(self, name))
        other.terms, other.values = self.terms.copy(), self.values.copy()
        return other

    def capture(self) -> OpenCandle:
        """Return the content as it is; compacts it, which changes nothing that is folded later."""
        self.compact()
        flags = PARTIAL * self.partial + TAINTED * self.tainted + UNSIZED * self.unsized
        traded = None
        if not self.empty:
            traded = Traded(
                self.open, self.high, self.low, self.close,
                self.first_ts, self.first_seq, self.last_ts, self.last_seq,
                self.counted, tuple(self.terms), tuple(self.values),
            )  # fmt: skip
        return OpenCandle(self.open_time, self.close_time, flags, traded)

    @classmethod
    def of(cls, captured: OpenCandle) -> Self:
        """Return what was captured, to be folded into further."""
        made = cls(captured.open_time, captured.close_time)
        made.partial = captured.flags & PARTIAL != 0
        made.tainted = captured.flags & TAINTED != 0
        made.unsized = captured.flags & UNSIZED != 0
        traded = captured.traded
        if traded is not None:
            made.empty = False
            made.open, made.high, made.low, made.close = traded.open, traded.high, traded.low, traded.close
            made.first_ts, made.first_seq = traded.first_ts, traded.first_seq
            made.last_ts, made.last_seq = traded.last_ts, traded.last_seq
            made.counted, made.carried = traded.trades, len(traded.sizes)
            made.terms, made.values = list(traded.sizes), list(traded.values)
        return made


def _exact(terms: list[float]) -> list[float]:
    """Return few terms with exactly the sum of ``terms``: its rounded sum, then what rounding lost."""
    rest, sums = terms.copy(), []
    while (rounded := fsum(rest)) != 0.0:
        sums.append(rounded)
        rest.append(-rounded)
    return sums


def fold(candles: Iterable[Candle], timeframe: str, open_time: int, close_time: int) -> Candle | None:
    """Return the candle of ``timeframe`` that the closed ``candles`` inside its interval add up to.

    ``candles`` are of one symbol and one smaller timeframe. None if no trade is in them. This is the
    invariant of rule 9: what ``SymbolCandles`` closes is this fold of what it closed below.
    """
    accumulator = Accumulator(open_time, close_time)
    last: Candle | None = None
    for last in candles:
        accumulator.fold(last)
    if last is None or accumulator.empty:
        return None
    return finish(accumulator, Stream(last.symbol, last.price_kind, last.volume_kind), timeframe)


def finish(accumulator: Accumulator, stream: Stream, timeframe: str, as_of: int = 0) -> Candle:
    """Return the content as a candle: closed, or the forming one as of event time ``as_of``."""
    a = accumulator
    turnover = None if a.unsized or stream.volume_kind == "tick" else fsum(a.values)
    return Candle(
        stream.symbol, timeframe, a.open_time, a.close_time,
        a.open, a.high, a.low, a.close, fsum(a.terms), a.trades, turnover,
        stream.price_kind, stream.volume_kind,
        closed=not as_of, partial=a.partial, quality="incomplete" if a.tainted else "ok", as_of=as_of,
    )  # fmt: skip


def flat(accumulator: Accumulator, stream: Stream, timeframe: str, price: float) -> Candle:
    """Return the synthetic candle of an interval without trades, at the previous close (rule 6)."""
    a = accumulator
    return Candle(
        stream.symbol, timeframe, a.open_time, a.close_time,
        price, price, price, price, 0.0, 0, 0.0 if stream.volume_kind != "tick" else None,
        stream.price_kind, stream.volume_kind, synthetic=True,
    )  # fmt: skip
