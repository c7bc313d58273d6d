"""A lock that nobody releases."""

import threading

from strategies import Candle, IStrategy, MultiTimeframeData, StrategyConfig


class Hangs(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.lock = threading.Lock()
        self.lock.acquire()

    def on_tick(self, data: MultiTimeframeData) -> None:
        self.lock.acquire()

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        return None
