"""Indicators one value at a time, in plain Python: O(1) an update, NaN until warm.

Formulas and seeds are TA-Lib's (https://ta-lib.org): an exponential average starts as the simple average
of its first values, Wilder's as that of the first changes. ``update`` takes the next closed value;
``peek`` says what ``update`` would return and changes nothing (candles.md 10: the forming candle).
``feed(high, low, close)`` is the same for every class, so that a host can drive them all.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from strategies.rolling import NAN, Extreme, Wilder, Window, number_of, period_of


class Indicator(ABC):
    """The part that all share: ``value`` is the newest result, NaN until warm."""

    value: float = NAN

    @abstractmethod
    def feed(self, high: float, low: float, close: float) -> float:
        """Take one closed candle and return the new value."""

    @property
    def is_warm(self) -> bool:
        """Whether enough has been seen for a value."""
        return not math.isnan(self.value)


class ValueIndicator(Indicator):
    """An indicator of single values, by default closes."""

    @abstractmethod
    def update(self, value: float) -> float:
        """Take the next value and return the new result."""

    @abstractmethod
    def peek(self, value: float) -> float:
        """Return what ``update(value)`` would; changes nothing."""

    def feed(self, high: float, low: float, close: float) -> float:  # noqa: ARG002 (one signature for all)
        """Take the close of one candle."""
        return self.update(close)


class SMA(ValueIndicator):
    """Simple moving average of the last ``period`` values."""

    def __init__(self, period: int) -> None:
        self._window = Window(period_of(period))

    def update(self, value: float) -> float:
        """Take the next value and return the new average."""
        if self._window.push(value):
            self.value = self._window.total / self._window.size
        return self.value

    def peek(self, value: float) -> float:
        """Return what ``update(value)`` would; changes nothing."""
        window = self._window
        return (window.total - window.oldest + value) / window.size if window.nearly_full else NAN


class WMA(ValueIndicator):
    """Linearly weighted moving average: the newest of ``period`` values weighs ``period``, the oldest 1."""

    def __init__(self, period: int) -> None:
        self._window = Window(period_of(period))
        self._weighted = 0.0
        self._divisor = period * (period + 1) / 2

    def _next(self, value: float) -> float:
        window = self._window
        if window.full:  # every value moves down by one weight, the oldest (weight 1) out
            return self._weighted + window.size * value - window.total
        return self._weighted + (window.at + 1) * value

    def update(self, value: float) -> float:
        """Take the next value and return the new average."""
        self._weighted = self._next(number_of(value))
        if self._window.push(value):
            if self._window.at == 0:
                self._weighted = math.fsum(w * v for w, v in enumerate(self._window.values, start=1))
            self.value = self._weighted / self._divisor
        return self.value

    def peek(self, value: float) -> float:
        """Return what ``update(value)`` would; changes nothing."""
        return self._next(value) / self._divisor if self._window.nearly_full else NAN


class EMA(ValueIndicator):
    """Exponential moving average, factor 2 / (period + 1), seeded with the SMA of the first ``period``."""

    def __init__(self, period: int) -> None:
        self._period = period_of(period)
        self._factor = 2.0 / (period + 1)
        self._seen = 0
        self._sum = 0.0

    def update(self, value: float) -> float:
        """Take the next value and return the new average."""
        self.value = self.peek(number_of(value))
        self._seen += 1
        self._sum += value if self._seen <= self._period else 0.0
        return self.value

    def peek(self, value: float) -> float:
        """Return what ``update(value)`` would; changes nothing."""
        if self._seen >= self._period:
            return self.value + self._factor * (value - self.value)
        return (self._sum + value) / self._period if self._seen == self._period - 1 else NAN


class RSI(ValueIndicator):
    """Wilder's relative strength index, 0 to 100; a market that never moved gives 0, as in TA-Lib."""

    def __init__(self, period: int = 14) -> None:
        self._gain = Wilder(period_of(period, least=2))
        self._loss = Wilder(period)
        self._previous = NAN

    @staticmethod
    def _ratio(gain: float, loss: float) -> float:
        return 100.0 * gain / (gain + loss) if gain + loss > 1e-14 else 0.0

    def update(self, value: float) -> float:
        """Take the next value and return the new index."""
        change = number_of(value) - self._previous
        self._previous = value
        if math.isnan(change):
            return self.value
        self._gain.push(max(change, 0.0))
        self._loss.push(max(-change, 0.0))
        if self._gain.seen >= self._gain.period:
            self.value = self._ratio(self._gain.value, self._loss.value)
        return self.value

    def peek(self, value: float) -> float:
        """Return what ``update(value)`` would; changes nothing."""
        change = value - self._previous
        if math.isnan(change) or self._gain.seen + 1 < self._gain.period:
            return NAN
        return self._ratio(self._gain.next(max(change, 0.0)), self._loss.next(max(-change, 0.0)))


class ATR(Indicator):
    """Wilder's average true range; the first bar only gives the close before, as in TA-Lib."""

    def __init__(self, period: int = 14) -> None:
        self._average = Wilder(period_of(period))
        self._close = NAN

    def _range(self, high: float, low: float) -> float:
        return max(high, self._close) - min(low, self._close)

    def feed(self, high: float, low: float, close: float) -> float:
        """Take one closed candle and return the new average range."""
        if not math.isnan(self._close):
            self._average.push(self._range(number_of(high), number_of(low)))
            if self._average.seen >= self._average.period:
                self.value = self._average.value
        self._close = number_of(close)
        return self.value

    def peek(self, high: float, low: float) -> float:
        """Return what ``feed`` would for a candle that reaches from ``low`` to ``high`` so far."""
        if math.isnan(self._close) or self._average.seen + 1 < self._average.period:
            return NAN
        return self._average.next(self._range(high, low))


class Bands(NamedTuple):
    """Three lines around a price."""

    upper: float
    middle: float
    lower: float


NO_BANDS: Final = Bands(NAN, NAN, NAN)


class BollingerBands(ValueIndicator):
    """SMA of ``period`` values, and ``width`` population standard deviations around it (``bands``)."""

    def __init__(self, period: int = 20, width: float = 2.0) -> None:
        self._window = Window(period_of(period))
        self._width = width
        self.bands = NO_BANDS

    def _around(self, values: list[float]) -> Bands:
        mean = math.fsum(values) / len(values)
        # Two passes: the one-pass formula cancels catastrophically on prices that hardly move.
        spread = self._width * math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
        return Bands(mean + spread, mean, mean - spread)

    def update(self, value: float) -> float:
        """Take the next value and return the middle; ``bands`` has all three."""
        if self._window.push(value):
            self.bands = self._around(self._window.values)
            self.value = self.bands.middle
        return self.value

    def peek_bands(self, value: float) -> Bands:
        """Return what ``bands`` would be after ``update(value)``; changes nothing."""
        window = self._window
        if not window.nearly_full:
            return NO_BANDS
        return self._around([*window.values[: window.at], value, *window.values[window.at + 1 :]])

    def peek(self, value: float) -> float:
        """Return the middle after ``update(value)``; changes nothing."""
        return self.peek_bands(value).middle


class MACD(ValueIndicator):
    """EMA(fast) - EMA(slow), its EMA ``signal``, and their difference ``histogram``.

    As in TA-Lib the fast average is seeded with the values that end where the slow one's seed ends.
    ``value`` and ``update`` give the line once the signal is warm too.
    """

    def __init__(self, fast: int = 12, slow: int = 26, signal: int = 9) -> None:
        fast, slow = sorted((period_of(fast, least=2), period_of(slow, least=2)))
        self._fast, self._slow, self._signal = EMA(fast), EMA(slow), EMA(period_of(signal))
        self._skip = slow - fast
        self.signal = NAN

    @property
    def histogram(self) -> float:
        """The line less its signal."""
        return self.value - self.signal

    def update(self, value: float) -> float:
        """Take the next value and return the line; ``signal`` and ``histogram`` follow it."""
        slow = self._slow.update(value)
        if self._skip:
            self._skip -= 1
            return self.value
        line = self._fast.update(value) - slow
        if not math.isnan(line):
            self.signal = self._signal.update(line)
            self.value = line if self._signal.is_warm else NAN
        return self.value

    def peek(self, value: float) -> float:
        """Return what ``update(value)`` would; changes nothing."""
        line = self._fast.peek(value) - self._slow.peek(value)
        return NAN if math.isnan(line) or math.isnan(self._signal.peek(line)) else line


class DonchianChannel(Indicator):
    """Highest high and lowest low of the last ``period`` candles, the newest included (``bands``)."""

    def __init__(self, period: int = 20) -> None:
        self._high, self._low = Extreme(period_of(period)), Extreme(period)
        self.bands = NO_BANDS

    @staticmethod
    def _bands(high: float, negative_low: float) -> Bands:
        return Bands(high, (high - negative_low) / 2, -negative_low)

    def feed(self, high: float, low: float, close: float) -> float:  # noqa: ARG002 (one signature for all)
        """Take one closed candle and return the middle; ``bands`` has all three."""
        self.bands = self._bands(self._high.push(number_of(high)), self._low.push(-number_of(low)))
        self.value = self.bands.middle
        return self.value

    def peek(self, high: float, low: float) -> Bands:
        """Return what ``bands`` would be with a candle from ``low`` to ``high``; changes nothing."""
        return self._bands(self._high.peek(high), self._low.peek(-low))


INDICATORS: Final[Mapping[str, Callable[..., Indicator]]] = {
    "SMA": SMA,
    "EMA": EMA,
    "WMA": WMA,
    "RSI": RSI,
    "ATR": ATR,
    "BollingerBands": BollingerBands,
    "MACD": MACD,
    "DonchianChannel": DonchianChannel,
}
"""What ``ctx.indicator`` knows, by name."""
