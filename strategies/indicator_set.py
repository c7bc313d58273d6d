"""The indicators that one strategy has asked for: made once each, fed closed candles, kept in checkpoints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from strategies.errors import StateCorrupt, StrategyError
from strategies.indicators import INDICATORS, Indicator
from strategies.remembering import give_back, held_by
from strategies.snapshot import IndicatorState

Recipe: TypeAlias = tuple[str, str, str, tuple[int | float, ...]]
"""An indicator's name, symbol, timeframe and arguments: the same recipe is the same indicator."""


class IndicatorSet:
    """Indicators by recipe, and by whose candles they are fed."""

    __slots__ = ("_fed", "_made")

    def __init__(self) -> None:
        self._made: dict[Recipe, Indicator] = {}
        self._fed: dict[tuple[str, str], list[Indicator]] = {}

    def get(self, recipe: Recipe) -> Indicator | None:
        """Return the one of this recipe, if it was made."""
        return self._made.get(recipe)

    def make(self, recipe: Recipe) -> Indicator:
        """Make one; it has seen nothing."""
        name, symbol, timeframe, args = recipe
        made = self._made[recipe] = INDICATORS[name](*args)
        self._fed.setdefault((symbol, timeframe), []).append(made)
        return made

    def feed(self, symbol: str, timeframe: str, high: float, low: float, close: float) -> None:
        """Hand a closed candle to those of its series."""
        for indicator in self._fed.get((symbol, timeframe), ()):
            indicator.feed(high, low, close)

    def states(self) -> list[IndicatorState]:
        """Return what a checkpoint keeps of every one."""
        return [
            IndicatorState(name, symbol, timeframe, list(args), held_by(made))
            for (name, symbol, timeframe, args), made in self._made.items()
        ]

    def put_back(self, states: Iterable[IndicatorState]) -> None:
        """Take them back, also those that the strategy has not asked for again yet.

        ``StateCorrupt`` if one cannot be what it says.
        """
        for state in states:
            recipe = (state.name, state.symbol, state.timeframe, tuple(state.args))
            try:
                made = self._made.get(recipe) or self.make(recipe)
            except (KeyError, StrategyError, TypeError) as error:
                raise StateCorrupt(f"checkpoint: no indicator {state.name!r}: {error}") from None
            give_back(made, state.held)
