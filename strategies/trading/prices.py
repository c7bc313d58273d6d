"""The last tick of each symbol, its number, and the price that it makes."""

from __future__ import annotations

from collections.abc import Iterable

from bus.messages import Tick


class Prices:
    """Prices are of ticks and of a feed's bars; numbers are of ticks alone, as they were published."""

    def __init__(self) -> None:
        self._last: dict[str, Tick] = {}
        self._numbers: dict[str, int] = {}

    def take(self, tick: Tick) -> int:
        """Take the next tick of a symbol and return its number."""
        symbol = tick.symbol
        self._last[symbol] = tick
        number = self._numbers[symbol] = self._numbers.get(symbol, 0) + 1
        return number

    def take_again(self, tick: Tick, number: int) -> None:
        """Take a tick that may have been taken before a crash."""
        self._last[tick.symbol] = tick
        self._numbers[tick.symbol] = number

    def set(self, symbol: str, price: float | None, at: int) -> None:
        """Take a price that came by no tick; None makes it unknown."""
        if price is None:
            self._last.pop(symbol, None)
        else:
            self._last[symbol] = Tick(symbol, at, price)

    def recall(self, ticks: Iterable[Tick], numbers: Iterable[tuple[str, int]]) -> None:
        """Know again what was known before a crash."""
        self._last.update((tick.symbol, tick) for tick in ticks)
        self._numbers.update(numbers)

    def everything(self) -> list[Tick]:
        """Return the last tick of each symbol."""
        return list(self._last.values())

    def last(self, symbol: str) -> Tick | None:
        """Return the last tick of a symbol."""
        return self._last.get(symbol)

    def price(self, symbol: str) -> float | None:
        """Return the last price of a symbol, None while it is unknown."""
        tick = self._last.get(symbol)
        return None if tick is None else tick.price

    def number(self, symbol: str) -> int:
        """Return the number of the last tick of a symbol, 0 before the first."""
        return self._numbers.get(symbol, 0)

    def at(self, symbol: str) -> int:
        """Return the event time of the last tick of a symbol, 0 before the first."""
        tick = self._last.get(symbol)
        return 0 if tick is None else tick.ts
