"""Buys when a candle closes at the highest close of the last ``lookback`` candles.

stratd register examples/breakout.py --param lookback=20
stratd start breakout-1 --strategy breakout --symbol EURUSD --timeframe 1m --param lookback=20
"""

from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class Breakout(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        self.lookback = config.parameters["lookback"]

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> Signal | None:
        closes = data.history(timeframe, self.lookback)["close"]
        if len(closes) == self.lookback and candle.close >= closes.max():
            return Signal(symbol=candle.symbol, intent="enter_long", quantity=1, reason="new high")
        return None
