"""A bug on every tick."""

from strategies import Candle, IStrategy, MultiTimeframeData, StrategyConfig


class Raises(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.prices: list[float] = []

    def on_tick(self, data: MultiTimeframeData) -> None:
        self.mean = sum(self.prices) / len(self.prices)

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        return None
