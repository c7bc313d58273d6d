"""The neighbour: answers every tick with one signal that names it, whatever goes on next door.

It also starts a thread each time, which takes of what may be counted for all cells together: within
``patience`` seconds.
"""

import threading
import time

from bus.messages import Signal
from strategies.api import IStrategy


class Neighbour(IStrategy):
    def initialize(self, config):
        self.secret = config.parameters["secret"]
        self.patience = config.parameters["patience"]

    def on_tick(self, data):
        self.start_thread()
        return Signal(symbol=data.symbol, intent="enter_long", quantity=data.tick.last, reason="answer")

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def start_thread(self):
        deadline = time.monotonic() + self.patience
        while True:
            thread = threading.Thread(target=int)
            try:
                thread.start()
            except RuntimeError:  # none can be started, which may not last
                if time.monotonic() > deadline:
                    raise
            else:
                return thread.join()
