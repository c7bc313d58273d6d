"""The neighbour: answers every tick with one signal that names it, whatever goes on next door."""

from bus.messages import Signal
from strategies.api import IStrategy


class Neighbour(IStrategy):
    def initialize(self, config):
        self.secret = config.parameters["secret"]

    def on_tick(self, data):
        return Signal(symbol=data.symbol, intent="enter_long", quantity=data.tick.last, reason="answer")

    def on_candle_complete(self, timeframe, candle, data):
        return None
