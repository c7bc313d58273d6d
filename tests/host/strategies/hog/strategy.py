"""Takes 8 MiB a tick, for good."""

from __future__ import annotations

import os

from strategies import IStrategy


class Strategy(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        self.taken = getattr(self, "taken", [])
        self.taken.append(bytearray(os.urandom(1024)) * (8 * 1024))  # 8 MiB, each page touched
