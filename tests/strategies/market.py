"""Candles, ticks and configurations for the tests of this folder."""

from __future__ import annotations

from typing import Any

from bus.messages import Candle, Candles, Signal, Tick, Ticks, Welcome
from strategies import IStrategy, StrategyConfig
from strategies.host import Host

MINUTE = 60 * 10**9
T0 = 1_700_000_040 * 10**9  # a whole minute, and a whole five minutes less one


def config(**changes: Any) -> StrategyConfig:
    facts = {
        "strategy_id": "d1",
        "account_id": "acc",
        "trading_mode": "paper",
        "symbols": ("A", "B"),
        "timeframes": ("1m", "5m"),
    }
    return StrategyConfig(**{**facts, **changes})


def candle(n: int, close: float = 1.0, symbol: str = "A", timeframe: str = "1m", **changes: Any) -> Candle:
    """The ``n``-th candle from T0, flat at ``close`` unless told."""
    span = {"1m": MINUTE, "5m": 5 * MINUTE, "1h": 60 * MINUTE}[timeframe]
    facts = {"open": close, "high": close, "low": close, "close": close, "volume": 1.0, "trades": 1}
    return Candle(symbol, timeframe, T0 + n * span, T0 + (n + 1) * span, **{**facts, **changes})


def closed(*candles: Candle) -> Candles:
    return Candles(1, 1, max(c.close_time for c in candles), list(candles))


def ticks(*prices: float, symbol: str = "A", start: int = T0) -> Ticks:
    made = [Tick(symbol, start + n, last=p, size=1.0, seq=n + 1) for n, p in enumerate(prices)]
    return Ticks(1, 1, made)


def running(strategy: IStrategy, *, warmup: tuple[Candle, ...] = (), **options: Any) -> Host:
    """A host that has been initialised and welcomed."""
    setup = {"config": config(), **options}
    host = Host(strategy, setup.pop("config"), **setup)
    host.initialize()
    host.handle(Welcome(epoch=1, now=T0, warmup=list(warmup)))
    return host


class Quiet(IStrategy):
    """Does nothing, so that a test can override the one thing it is about."""

    def initialize(self, config: StrategyConfig) -> None:
        self.config = config

    def on_candle_complete(self, timeframe, candle, data):
        return None


def buy(symbol: str = "A", **changes) -> Signal:
    return Signal(**{"symbol": symbol, "intent": "enter_long", "quantity": 1, "reason": "test", **changes})


class Recorder(Quiet):
    """Notes every callback in order."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def initialize(self, config):
        self.calls.append(("initialize",))

    def on_tick(self, data):
        self.calls.append(("tick", data.symbol, data.tick.last))

    def on_candle_complete(self, timeframe, candle, data):
        seen = {tf: len(data.history(tf, 100)) for tf in ("1m", "5m")}
        self.calls.append(("candle", timeframe, candle.symbol, data.as_of, seen))

    def on_warmup_candle(self, timeframe, candle, data):
        self.calls.append(("warmup", timeframe, candle.symbol, data.as_of))

    def on_start(self, ctx, recovered):
        self.calls.append(("start", ctx.now, recovered))

    def on_pause(self, reason):
        self.calls.append(("pause", reason))

    def on_resume(self):
        self.calls.append(("resume",))

    def on_stop(self, reason):
        self.calls.append(("stop", str(reason), reason.ask))

    def on_signal_result(self, ack):
        self.calls.append(("ack", ack.decision))

    def on_fill(self, fill, position):
        self.calls.append(("fill", fill.quantity, position.quantity, self.ctx.position("A").quantity))

    def on_position_closed(self, trade):
        self.calls.append(("closed", trade))

    def on_feed_status(self, status):
        self.calls.append(("feed", status.state, self.ctx is not None))

    def on_boundary(self, ts, closed, data):
        self.calls.append(("boundary", ts, sorted(closed)))

    def on_timer(self, name, ts):
        self.calls.append(("timer", name, ts))

    def on_parameters_updated(self, old, new):
        self.calls.append(("parameters", dict(old), dict(new), dict(self.ctx.params)))

    def cleanup(self):
        self.calls.append(("cleanup",))


def since(host: Host, mark: str) -> list[tuple]:
    """The callbacks after the first one called ``mark``."""
    names = [call[0] for call in host.strategy.calls]
    return host.strategy.calls[names.index(mark) + 1 :]
