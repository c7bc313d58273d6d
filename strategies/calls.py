"""Calling a strategy: through the wall, its answer checked and stamped, barred while it may not act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bus.messages import Signal
from strategies.books import Books
from strategies.data import MultiTimeframeData
from strategies.stamping import Cause, check, is_exit, stamp
from strategies.wall import Wall


class Calls:
    """One strategy's callbacks. ``barred`` names why signals do not count now, ``""`` when they do."""

    __slots__ = (
        "_books",
        "_data",
        "_owner",
        "_symbols",
        "barred",
        "dropped",
        "exits_pass",
        "number",
        "wall",
    )

    def __init__(
        self, owner: str, symbols: Sequence[str], wall: Wall, books: Books, data: MultiTimeframeData
    ) -> None:
        self._owner = owner
        self._symbols = symbols
        self._books = books
        self._data = data
        self.number = 0
        """Number of the last signal: the next one's is one more, also after a restart."""
        self.wall = wall
        self.barred = ""
        self.exits_pass = False
        self.dropped: dict[str, int] = {}
        """Signals that did not count, by ``barred``."""

    def tell(self, name: str, call: Callable[..., object], *args: object) -> None:
        """Call what returns nothing."""
        self.wall.call(name, self._books.now, lambda: call(*args))

    def ask(self, name: str, cause: Cause, call: Callable[..., Any], *args: object) -> list[Signal]:
        """Call what may return signals; they come back stamped, or dropped and counted while barred."""

        def answer() -> list[Signal] | None:
            result = call(*args)
            return None if result is None else self._stamped(name, result, cause)

        signals = self.wall.call(name, self._books.now, answer)
        if not signals:
            return []
        if self.barred:
            passing = [s for s in signals if self.exits_pass and self.barred == "paused" and is_exit(s)]
            self.dropped[self.barred] = self.dropped.get(self.barred, 0) + len(signals) - len(passing)
            signals = passing
        self._books.remember(signals)
        return signals

    def _stamped(self, name: str, result: object, cause: Cause) -> list[Signal]:
        found = check(name, result, self._owner, self._symbols)
        stamped = [
            stamp(
                signal,
                cause,
                now=self._books.now,
                price=self._data.price(signal.symbol),
                number=self.number + at,
                where=f"{self._owner}.{name}",
            )
            for at, signal in enumerate(found, start=1)
        ]
        self.number += len(stamped)  # only now: one bad signal drops them all
        return stamped
