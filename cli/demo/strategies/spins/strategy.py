"""All of a core for 1.5 s at every tick: short enough not to hang, far above its share of CPU."""

import time

from strategies import Candle, IStrategy, MultiTimeframeData, StrategyConfig


class Spins(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.laps = 0

    def on_tick(self, data: MultiTimeframeData) -> None:
        end = time.perf_counter() + 1.5
        while time.perf_counter() < end:
            self.laps += 1

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        return None
