"""The strategies that run under chaos, and the deployments of them.

Signals of the compared ones follow from what they are shown and from nothing else: no clock, no verdict, no
fill. Their quantities count what they have seen, so that an event which is lost or seen twice shows in every
signal after it. The position-dependent one cannot be the same in two runs, because fills come when they
come; of it, and of everybody, it is checked that orders, fills and positions agree (``accounts``). Victims
end themselves some seconds after they began, long enough to be saved: each comes further than the last.

A third of all candles asks for something, and what is asked for tells of all of them: whoever was away for
long asks for everything at once, and a symbol has no more than a hundred orders that wait (``open_orders``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

HEAD = """\
import time
import zlib
from decimal import Decimal

import numpy as np

from strategies import IStrategy, Signal

DAY = 86_400_000


def order(symbol, up, quantity, leg=""):
    intent = "enter_long" if up else "enter_short"
    return Signal(symbol=symbol, intent=intent, quantity=quantity, reason="chaos", leg=leg, ttl_ms=DAY)


class Counted(IStrategy):
    def initialize(self, config):
        print("born", flush=True)
        self.seen = {}

    def count(self, *key):
        name = "/".join(key)
        self.seen[name] = self.seen.get(name, 0) + 1
        return self.seen[name]

    def save_state(self):
        return {"seen": self.seen}

    def load_state(self, state, version):
        self.seen = state["seen"]

    def on_candle_complete(self, timeframe, candle, data):
        return None


"""
BODIES = {
    # Candles of several timeframes against the mean of their history.
    "swing": """\
class Swing(Counted):
    def on_candle_complete(self, timeframe, candle, data):
        closes = data.history(timeframe, 8, candle.symbol)["close"]
        number = self.count(candle.symbol, timeframe)
        if number % 3 == 0:
            return order(candle.symbol, candle.close >= closes.mean(), 1 + number // 3 % 9, timeframe)
""",
    # Nothing but what is in the last candles: whoever differs while this does not has lost a memory of
    # his own.
    "echo": """\
class Echo(Counted):
    def on_candle_complete(self, timeframe, candle, data):
        length = candle.close_time - candle.open_time
        if candle.close_time // length % 3 == 0:
            content = data.history(timeframe, 4, candle.symbol).tobytes()
            quantity = 1 + zlib.crc32(content) % 997
            return order(candle.symbol, candle.close >= candle.open, quantity, timeframe)
""",
    # Every tick counts: a moving average of them, a signal at every eleventh.
    "ticker": """\
class Ticker(Counted):
    def initialize(self, config):
        super().initialize(config)
        self.average = None

    def on_tick(self, data):
        price, number = data.tick.price, self.count(data.symbol)
        self.average = price if self.average is None else self.average + (price - self.average) / 16
        if number % 11 == 0:
            return order(data.symbol, price >= self.average, 1 + number // 11 % 9, str(number % 3))

    def save_state(self):
        return {**super().save_state(), "average": self.average}

    def load_state(self, state, version):
        super().load_state(state, version)
        self.average = state["average"]
""",
    # Seeded chance: its position is part of the checkpoint.
    "chance": """\
class Chance(Counted):
    def on_candle_complete(self, timeframe, candle, data):
        number = self.count(timeframe)
        if self.ctx.rng.random() < 0.3:
            return order(candle.symbol, number % 2, int(self.ctx.rng.integers(1, 10)), timeframe)
""",
    # Ticks and candles together, in the order in which they came; every kind of value in its state.
    "ledger": """\
class Ledger(Counted):
    def initialize(self, config):
        super().initialize(config)
        self.turnover = Decimal(0)
        self.bins = np.zeros(16, dtype=np.int64)

    def on_tick(self, data):
        self.turnover += Decimal(str(data.tick.price))
        self.bins[self.count(data.symbol) % 16] += 1
        self.ctx.kv["ticks"] = self.ctx.kv.get("ticks", 0) + 1

    def on_candle_complete(self, timeframe, candle, data):
        quantity = 1 + (int(self.turnover) + int(self.bins[3]) + self.ctx.kv.get("ticks", 0)) % 97
        if self.count(timeframe) % 3 == 0:
            return order(candle.symbol, quantity % 2, quantity, timeframe)

    def save_state(self):
        return {**super().save_state(), "turnover": self.turnover, "bins": self.bins}

    def load_state(self, state, version):
        super().load_state(state, version)
        self.turnover, self.bins = state["turnover"], state["bins"].copy()
""",
    # Timers on the event clock; what it asks for follows from when each was due.
    "bell": """\
MINUTE = 60_000_000_000


class Bell(Counted):
    def on_candle_complete(self, timeframe, candle, data):
        if self.count(timeframe) == 1:
            self.ctx.schedule("bell", at=(candle.close_time // MINUTE + 2) * MINUTE, every=120)

    def on_timer(self, name, ts):
        return order("EURUSD", ts // (2 * MINUTE) % 2, 1 + ts // (2 * MINUTE) % 7)
""",
    # What it does follows from its position: fills come when they come.
    "holder": """\
class Holder(Counted):
    def on_candle_complete(self, timeframe, candle, data):
        if self.ctx.position(candle.symbol).quantity == 0 and not self.ctx.open_orders():
            return order(candle.symbol, True, 1 + self.count(timeframe) % 5)
        return Signal(symbol=candle.symbol, intent="exit_long", reason="chaos", ttl_ms=DAY)
""",
    # All timeframes of one instant.
    "boundary": """\
class Boundary(Counted):
    def on_boundary(self, ts, closed, data):
        number, closes = self.count("boundary"), data.history("5s", 12)["close"]
        if number % 3 == 0:
            return order(data.symbol, closes[-1] >= closes[0], 1 + len(closed) + number // 3 % 5)
""",
    # Indicators that remember everything since their first candle.
    "gauge": """\
class Gauge(Counted):
    def initialize(self, config):
        super().initialize(config)
        self.gauges = [self.ctx.indicator("EMA", "5s", 10), self.ctx.indicator("RSI", "5s", 7)]

    def on_candle_complete(self, timeframe, candle, data):
        ema, rsi = (gauge.value for gauge in self.gauges)
        if self.count(timeframe) % 3 == 0 and ema == ema and rsi == rsi:
            exact = int(ema * 1e12) + int(rsi * 1e9)
            return order(candle.symbol, candle.close >= ema, 1 + exact % 97, timeframe)
""",
    "oom": """\
class Oom(Counted):
    def initialize(self, config):
        super().initialize(config)
        self.dies_at = time.monotonic() + 3

    def on_candle_complete(self, timeframe, candle, data):
        if time.monotonic() > self.dies_at:
            hoard = []
            while True:
                hoard.append(b"x" * 2**22)
        return order(candle.symbol, True, 1)
""",
    "segfault": """\
class Segfault(Counted):
    def initialize(self, config):
        super().initialize(config)
        self.dies_at = time.monotonic() + 4

    def on_candle_complete(self, timeframe, candle, data):
        if time.monotonic() > self.dies_at:
            import ctypes

            ctypes.string_at(0)
        return order(candle.symbol, True, 1)
""",
}


class Deployed(NamedTuple):
    """A deployment: its strategy, what it reads, and whether its signals are the same in every run."""

    id: str
    strategy: str
    feeds: tuple[str, ...]
    timeframes: tuple[str, ...]
    compared: bool = True


COMPARED = (
    Deployed("swing-both", "swing", ("fx", "eq"), ("5s", "15s", "1m")),
    Deployed("ticker-fx", "ticker", ("fx",), ("1m",)),
    Deployed("holder-fx", "holder", ("fx",), ("15s",), compared=False),
    Deployed("ledger-eq", "ledger", ("eq",), ("5s", "1m")),
    Deployed("gauge-fx", "gauge", ("fx",), ("5s",)),
    Deployed("bell-fx", "bell", ("fx",), ("5s",)),
    Deployed("chance-eq", "chance", ("eq",), ("5s", "15s")),
    Deployed("boundary-fx", "boundary", ("fx",), ("5s", "15s", "1m")),
    Deployed("ticker-eq", "ticker", ("eq",), ("1m",)),
    Deployed("echo-both", "echo", ("fx", "eq"), ("5s", "15s", "1m")),
)
VICTIMS = (
    Deployed("oom-fx", "oom", ("fx",), ("5s",), compared=False),
    Deployed("segfault-eq", "segfault", ("eq",), ("5s",), compared=False),
)


def deployments(count: int) -> list[Deployed]:
    """Return ``count`` deployments, the kinds in turn, and the victims."""
    found = []
    for number in range(count):
        one = COMPARED[number % len(COMPARED)]
        turn = number // len(COMPARED)
        found.append(one._replace(id=f"{one.id}-{turn}") if turn else one)
    return [*found, *VICTIMS]


def write(folder: Path) -> None:
    """Write the strategies as an author would, one folder each."""
    for name, body in BODIES.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "strategy.py").write_text(HEAD + body)
        config = {"name": name, "version": "1.0.0", "class": name.title(), "warmup": 50, "conflate": False}
        (folder / name / "config.json").write_text(json.dumps(config))
