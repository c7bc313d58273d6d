"""Shows an indicator, the own position, a closed trade, and state that survives a restart."""

from collections.abc import Mapping
from typing import Any

from strategies import Candle, ClosedTrade, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class RsiReversion(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        given = config.parameters
        self.oversold, self.recovered = given["oversold"], given["recovered"]
        self.quantity, self.cool_down = given["quantity"], given["cool_down"]
        self.timeframe = config.timeframes[0]
        self.rsi = {
            symbol: self.ctx.indicator("RSI", self.timeframe, given["period"], symbol=symbol)
            for symbol in config.symbols
        }
        self.resting_until = 0

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> Signal | None:
        rsi, held = self.rsi[candle.symbol].value, self.ctx.position(candle.symbol).quantity
        if timeframe != self.timeframe or self.ctx.now < self.resting_until:
            return None
        # A quiet market fills nothing for a while.
        waits = any(order.signal.symbol == candle.symbol for order in self.ctx.open_orders())
        if held == 0 and not waits and rsi < self.oversold:  # NaN until warm, and NaN is below nothing
            return Signal(
                symbol=candle.symbol, intent="enter_long", quantity=self.quantity, reason="oversold"
            )
        if held > 0 and rsi > self.recovered:
            return Signal(symbol=candle.symbol, intent="exit_long", reason="recovered")
        return None

    def on_position_closed(self, trade: ClosedTrade) -> None:
        if trade.realised < 0:
            self.resting_until = trade.closed_at + int(self.cool_down * 1e9)
            self.ctx.log.info("lost %.2f on %s, resting", -trade.realised, trade.symbol)

    def save_state(self) -> Mapping[str, Any]:
        return {"resting_until": self.resting_until}

    def load_state(self, state: Mapping[str, Any], version: int) -> None:
        self.resting_until = state["resting_until"]
