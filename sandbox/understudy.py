"""The strategy of the rehearsal (``sandbox.rehearsal``): ours, loaded by path as a user's would be."""

from __future__ import annotations

from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class Understudy(IStrategy):
    """Reads what strategies read and says what strategies say."""

    def initialize(self, config: StrategyConfig) -> None:
        """Take the configuration."""
        self.quantity = float(config.parameters["quantity"])

    def on_tick(self, data: MultiTimeframeData) -> Signal:
        """Ask for something on every tick."""
        return Signal(symbol=data.symbol, intent="enter_long", quantity=self.quantity, reason="rehearsal")

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        """Look at the history."""
        self.move = candle.close - float(data.history(timeframe, 5)["close"].mean())
