"""Trades the spread of two symbols: shows ``on_boundary``, which waits until both have closed an instant.

stratd register examples/pairs.py --param window=30 --param width=2
stratd start pair-1 --strategy pairs --symbol AAA --symbol BBB --timeframe 1m --param window=30 ...
"""

from collections.abc import Mapping

import numpy as np

from strategies import Candle, IStrategy, MultiTimeframeData, Signal, StrategyConfig


class Pairs(IStrategy):
    def initialize(self, config: StrategyConfig) -> None:
        if len(config.symbols) != 2:
            raise ValueError(f"pairs trades two symbols, not {len(config.symbols)}")
        self.left, self.right = config.symbols
        self.window, self.width = config.parameters["window"], config.parameters["width"]
        self.timeframe = config.timeframes[0]

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        return None  # one symbol alone decides nothing

    def on_boundary(
        self, ts: int, closed: Mapping[tuple[str, str], Candle], data: MultiTimeframeData
    ) -> list[Signal] | None:
        if not {(self.left, self.timeframe), (self.right, self.timeframe)} <= closed.keys():
            return None  # a symbol is missing: better no trade than half a one
        left, right = (data.history(self.timeframe, self.window, s)["close"] for s in (self.left, self.right))
        if min(len(left), len(right)) < self.window:
            return None
        spread = np.log(left) - np.log(right)
        score = (spread[-1] - spread.mean()) / (spread.std() or np.inf)
        held = self.ctx.position(self.left).quantity
        if held and abs(score) < 0.5:
            return [Signal(symbol=s, intent="exit_all", reason="converged") for s in (self.left, self.right)]
        if held == 0 and abs(score) > self.width:
            cheap, dear = (self.left, self.right) if score < 0 else (self.right, self.left)
            return [
                Signal(symbol=cheap, intent="enter_long", quantity=1, reason="cheap"),
                Signal(symbol=dear, intent="enter_short", quantity=1, reason="dear"),
            ]
        return None
