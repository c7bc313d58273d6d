"""A leak: 8 MiB more with every tick."""

from strategies import Candle, IStrategy, MultiTimeframeData, StrategyConfig


class EatsMemory(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.kept: list[bytearray] = []

    def on_tick(self, data: MultiTimeframeData) -> None:
        self.kept.append(bytearray(8 * 2**20))

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        return None
