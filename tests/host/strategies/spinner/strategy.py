"""Uses as much processor as it is given, in a thread of its own."""

from __future__ import annotations

import threading

from strategies import IStrategy


def spin():
    while True:
        pass


class Strategy(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        if not getattr(self, "spinning", False):
            self.spinning = True
            threading.Thread(target=spin, daemon=True).start()
