"""The barrier behind ``on_boundary``: wait until every symbol has closed an instant, but not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from bus.messages import Candle
from strategies.snapshot import BarrierState

GRACE: Final = 1_000_000_000
"""Event time (ns) after a boundary at which it is reported with symbols missing."""
MAX_WAITING: Final = 1_000

Closed: TypeAlias = dict[tuple[str, str], Candle]


class Barrier:
    """Collects closed candles by boundary. A symbol is done with T once it closed T or anything later."""

    __slots__ = ("_grace", "_reached", "_waiting")

    def __init__(self, symbols: Sequence[str], grace: int = GRACE) -> None:
        self._grace = grace
        self._reached = dict.fromkeys(symbols, 0)
        self._waiting: dict[int, Closed] = {}

    def add(self, as_of: int, candles: Sequence[Candle]) -> None:
        """Take what one symbol closed at ``as_of``."""
        closed = self._waiting.setdefault(as_of, {})
        for candle in candles:
            closed[candle.symbol, candle.timeframe] = candle
            self._reached[candle.symbol] = max(self._reached.get(candle.symbol, 0), as_of)

    def due(self, now: int) -> list[tuple[int, Closed]]:
        """Return the boundaries that are complete or overdue at event time ``now``, ascending, once each."""
        if not self._waiting:
            return []
        done = min(self._reached.values())
        ready = [
            ts
            for ts in sorted(self._waiting)
            if ts <= done or ts + self._grace <= now or len(self._waiting) > MAX_WAITING
        ]
        return [(ts, self._waiting.pop(ts)) for ts in ready]

    def state(self) -> BarrierState:
        """Return what a checkpoint keeps of it."""
        waiting = [(ts, list(closed.values())) for ts, closed in self._waiting.items()]
        return BarrierState(dict(self._reached), waiting)

    def put_back(self, state: BarrierState) -> None:
        """Go on where ``state`` was returned; symbols that are new since have reached nothing."""
        self._reached.update((symbol, at) for symbol, at in state.reached.items() if symbol in self._reached)
        self._waiting = {
            ts: {(candle.symbol, candle.timeframe): candle for candle in candles}
            for ts, candles in state.waiting
        }
