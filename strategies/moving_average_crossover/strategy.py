"""Moving average crossover: the reference of the built-in strategies.

On every closed candle of the signal timeframe, the smallest besides the confirmation timeframe, it
compares the fast and the slow average of closes with those one candle before:

- enter long: fast was below slow and is above now, both strictly, and nothing is held;
- exit: fast was above slow and is below now.

A candle at which the two are exactly equal is on neither side, so a cross that pauses there is none: this
is the rule of the reference backtest (docs/strategies.md), kept to the letter.

With ``confirmation_timeframe`` an entry also needs that timeframe's last closed candle to have closed
above its own slow average. An average that is not warm confirms nothing. Exits never wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strategies import Candle, Indicator, IStrategy, MultiTimeframeData, Reason, Signal, StrategyConfig


class MovingAverageCrossover(IStrategy):
    """Long above a cross, flat below it, per symbol."""

    def initialize(self, config: StrategyConfig) -> None:
        """Read the parameters; refuse a confirmation timeframe that brings no candles."""
        given = config.parameters
        self.quantity: float = given["quantity"]
        self.confirmation: str | None = given["confirmation_timeframe"]
        self.timeframe = _signal_timeframe(config.timeframes, self.confirmation)
        kind, fast, slow = given["ma_type"], given["fast_period"], given["slow_period"]
        # Fed by the host with every closed candle, before a callback sees it: where both timeframes close
        # at one instant, the smaller one's callback comes first and its confirmation is already there.
        self.fast = {s: self.ctx.indicator(kind, self.timeframe, fast, symbol=s) for s in config.symbols}
        self.slow = {s: self.ctx.indicator(kind, self.timeframe, slow, symbol=s) for s in config.symbols}
        self.trend: dict[str, Indicator] = {}
        if self.confirmation is not None:
            self.trend = {
                s: self.ctx.indicator(kind, self.confirmation, slow, symbol=s) for s in config.symbols
            }
        self.side: dict[str, int] = {}
        """Whether fast lay above (1), on (0) or below (-1) slow at the candle before; absent until warm."""

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> Signal | None:
        """Look for a cross since the candle before."""
        if timeframe != self.timeframe:
            return None
        symbol = candle.symbol
        fast, slow = self.fast[symbol], self.slow[symbol]
        if not slow.is_warm:
            return None
        before = self.side.get(symbol)
        now = self.side[symbol] = (fast.value > slow.value) - (fast.value < slow.value)
        if (before, now) == (1, -1) and self._is_in(symbol):
            return self._signal(symbol, "exit_long", "cross_below")
        if (before, now) == (-1, 1) and not self._is_in(symbol) and self._confirmed(symbol, data):
            return self._signal(symbol, "enter_long", "cross_above")
        return None

    def on_parameters_updated(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Take a new quantity, for the next entry."""
        self.quantity = new["quantity"]

    def inspect(self) -> dict[str, Any]:
        """Show the averages."""
        return {s: {"fast": self.fast[s].value, "slow": self.slow[s].value} for s in self.fast}

    def _is_in(self, symbol: str) -> bool:
        """Whether the symbol is held, or about to be: an accepted entry that has not filled yet counts."""
        pending = any(order.signal.symbol == symbol for order in self.ctx.open_orders())
        return self.ctx.position(symbol).quantity > 0 or pending

    def _confirmed(self, symbol: str, data: MultiTimeframeData) -> bool:
        if self.confirmation is None:
            return True
        last, trend = data.last(self.confirmation, symbol), self.trend[symbol]
        return last is not None and trend.is_warm and last.close > trend.value

    def _signal(self, symbol: str, intent: Any, code: str) -> Signal:
        fast, slow = self.fast[symbol].value, self.slow[symbol].value
        return Signal(
            symbol=symbol,
            intent=intent,
            quantity=self.quantity if intent == "enter_long" else None,
            reason=Reason(code, f"fast {fast:.6g}, slow {slow:.6g}"),
            indicators={"fast": fast, "slow": slow},
        )


def _signal_timeframe(timeframes: tuple[str, ...], confirmation: str | None) -> str:
    if confirmation is not None and confirmation not in timeframes:
        raise ValueError(
            f"confirmation_timeframe {confirmation!r} is not among the deployment's timeframes "
            f"({', '.join(timeframes)}): add --timeframe {confirmation}"
        )
    others = [name for name in timeframes if name != confirmation]
    if not others:
        raise ValueError("a timeframe to trade on is needed besides confirmation_timeframe")
    return others[0]
