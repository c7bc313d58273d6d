"""Mean reversion on ticks: the band comes from closed candles, the decision from each tick."""

from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class BandReversion(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.lookback = config.parameters["lookback"]
        self.width = config.parameters["width"]
        self.quantity = config.parameters["quantity"]
        self.mean: float | None = None
        self.floor = 0.0
        self.asked = False

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        closes = data.history(timeframe, self.lookback)["close"]
        if len(closes) == self.lookback:
            self.mean = float(closes.mean())
            self.floor = self.mean - self.width * float(closes.std())
        self.asked = False

    def on_tick(self, data: MultiTimeframeData) -> Signal | None:
        if self.mean is None or self.asked:
            return None
        symbol = data.symbol
        price = data.tick.price if data.tick else None
        if price is None:
            return None
        holds = self.ctx.position(symbol).quantity > 0
        if not holds and price < self.floor:
            self.asked = True
            return Signal(symbol=symbol, intent="enter_long", quantity=self.quantity, reason="below the band")
        if holds and price >= self.mean:
            self.asked = True
            return Signal(symbol=symbol, intent="exit_long", reason="back at the mean")
        return None
