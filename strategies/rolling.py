"""Rolling sums, averages and extremes: what the indicators are made of, each O(1) a value."""

from __future__ import annotations

import math
from collections import deque

from strategies.errors import StrategyError

NAN = math.nan


def period_of(period: int, least: int = 1) -> int:
    """Return ``period``, or refuse what is none."""
    if type(period) is not int or not least <= period <= 100_000:
        raise StrategyError(f"period {period!r}: a whole number from {least} to 100000")
    return period


def number_of(value: float) -> float:
    """Return ``value``, or refuse what would spoil every value after it."""
    if not math.isfinite(value):
        raise StrategyError(f"indicator value {value!r} is not a finite number")
    return value


class Window:
    """The last ``size`` values in a ring, and their sum, exact again at every turn of the ring."""

    __slots__ = ("at", "full", "size", "total", "values")

    def __init__(self, size: int) -> None:
        self.size = size
        self.values = [0.0] * size
        self.at = 0
        self.full = False
        self.total = 0.0

    @property
    def oldest(self) -> float:
        """The value that the next push drops; 0.0 until full."""
        return self.values[self.at]

    def push(self, value: float) -> bool:
        """Add a value; True once full. True with ``at == 0`` means a whole turn is done."""
        self.total += number_of(value) - self.values[self.at]
        self.values[self.at] = value
        self.at += 1
        if self.at == self.size:
            self.at = 0
            self.full = True
            self.total = math.fsum(self.values)  # a running sum drifts for ever; this one for one turn
        return self.full

    @property
    def nearly_full(self) -> bool:
        """Whether one more value makes it full."""
        return self.full or self.at == self.size - 1


class Wilder:
    """Wilder's smoothing: the mean of the first ``period`` values, then ``(old * (n-1) + new) / n``."""

    __slots__ = ("period", "seen", "value")

    def __init__(self, period: int) -> None:
        self.period = period
        self.seen = 0
        self.value = 0.0

    def next(self, value: float) -> float:
        """Return the average after ``value``; a mean in the making until ``period`` were seen."""
        weight = min(self.seen + 1, self.period)
        return (self.value * (weight - 1) + value) / weight

    def push(self, value: float) -> None:
        """Take one value."""
        self.value = self.next(value)
        self.seen += 1


class Extreme:
    """Largest of the last ``period`` values: candidates in falling order, each pushed and popped once."""

    __slots__ = ("candidates", "period", "seen")

    def __init__(self, period: int) -> None:
        self.period = period
        self.seen = 0
        self.candidates: deque[tuple[int, float]] = deque()

    def push(self, value: float) -> float:
        """Take one value; return the largest, NaN until full."""
        while self.candidates and self.candidates[-1][1] <= value:
            self.candidates.pop()
        self.candidates.append((self.seen, value))
        self.seen += 1
        if self.candidates[0][0] <= self.seen - 1 - self.period:
            self.candidates.popleft()
        return self.candidates[0][1] if self.seen >= self.period else NAN

    def peek(self, value: float) -> float:
        """Return what ``push(value)`` would; changes nothing."""
        if self.seen + 1 < self.period:
            return NAN
        return max([value, *(v for at, v in self.candidates if at > self.seen - self.period)])
