"""Does nothing at all."""

from __future__ import annotations

from strategies import IStrategy


class Strategy(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None
