"""Donchian channel: long above the highest close of the last candles, flat below the lowest."""

from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class DonchianBreakout(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.lookback = config.parameters["lookback"]
        self.quantity = config.parameters["quantity"]

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> Signal | None:
        before = data.history(timeframe, self.lookback + 1)["close"][:-1]
        if len(before) < self.lookback:
            return None
        holds = self.ctx.position(candle.symbol).quantity > 0
        if not holds and candle.close > before.max():
            return Signal(
                symbol=candle.symbol, intent="enter_long", quantity=self.quantity, reason="above the channel"
            )
        if holds and candle.close < before.min():
            return Signal(symbol=candle.symbol, intent="exit_long", reason="below the channel")
        return None
