"""A restart changes nothing: from any checkpoint on the same input gives the same signals, bit for bit."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import (
    Acked,
    Candle,
    Candles,
    Commanded,
    FeedStatus,
    Fill,
    Filled,
    OrderChanged,
    OrderUpdate,
    Parameters,
    Pause,
    Position,
    Pulse,
    Resume,
    Schedule,
    Signal,
    SignalAck,
    TakeCheckpoint,
    Tick,
    Ticks,
    TimerFired,
    Welcome,
)
from bus.session_phases import WISH, Phase
from strategies import IStrategy, snapshot, state
from strategies.errors import StateCorrupt
from strategies.host import Host
from strategies.outputs import Saved, Update
from tests.strategies.market import MINUTE, T0, Quiet, buy, config

SYMBOLS = ("A", "B")
WARMUP = 60
SECOND = 10**9


# ---- strategies: each depends on another part of what a host keeps --------------------------------
class OnCandles(Quiet):
    """Compares closes of two timeframes."""

    def on_candle_complete(self, timeframe, candle, data):
        closes = data.history("1m", 20, candle.symbol)["close"]
        last = data.last("5m", candle.symbol)
        if len(closes) == 20 and last is not None and candle.close > closes.mean():
            return buy(candle.symbol, limit_price=float(closes.mean()), tags={"five": str(last.close)})
        return None


class OnTicks(Quiet):
    """Answers ticks by the forming candle, the other symbol's last tick and the feed's health."""

    def on_tick(self, data):
        forming = data.forming("1m")
        shape = "" if forming is None else f"{forming.open} {forming.high} {forming.low} {forming.volume}"
        prices = {symbol: data.price(symbol) for symbol in SYMBOLS}
        return buy(data.symbol, tags={"shape": shape, "stale": str(data.is_stale())}, indicators=prices)

    def on_feed_status(self, status):
        return buy("A", leg=status.state)


class OnChance(Quiet):
    """Draws from ``ctx.rng`` and counts in ``ctx.kv``."""

    def on_candle_complete(self, timeframe, candle, data):
        seen = self.ctx.kv.setdefault("seen", [])
        seen.append(candle.close_time % 7)
        del seen[:-5]
        if self.ctx.rng.random() < 0.5:
            return buy(
                candle.symbol, quantity=float(self.ctx.rng.exponential()) + 0.1, tags={"seen": str(seen)}
            )
        return None

    def on_tick(self, data):
        return buy(data.symbol) if self.ctx.rng.random() < 0.3 else None


class OnIndicators(Quiet):
    """Follows every indicator there is; one of them it asks for late."""

    def initialize(self, config):
        ask = self.ctx.indicator
        self.followed = [
            ask("EMA", "1m", 9), ask("RSI", "1m", 14), ask("ATR", "1m", 14, symbol="B"), ask("SMA", "5m", 3),
            ask("WMA", "1m", 7), ask("BollingerBands", "1m", 10), ask("MACD", "1m", 3, 6, 4),
            ask("DonchianChannel", "1m", 5),
        ]  # fmt: skip

    def on_candle_complete(self, timeframe, candle, data):
        late = self.ctx.indicator("EMA", "1m", 50, symbol="B")
        values = {str(n): one.value for n, one in enumerate([*self.followed, late])}
        macd, bands = self.followed[6], self.followed[7].bands
        return buy(candle.symbol, indicators={**values, "signal": macd.signal, "upper": bands.upper})


class OnTimers(Quiet):
    """Sets timers at its start, in callbacks, once and for ever."""

    def on_start(self, ctx, recovered):
        ctx.schedule("often", every=45)

    def on_candle_complete(self, timeframe, candle, data):
        self.ctx.schedule(f"once-{candle.close_time // MINUTE % 3}", at=candle.close_time + 70 * SECOND)

    def on_timer(self, name, ts):
        return buy("A", leg=name, tags={"now": str(self.ctx.now), "armed": str(len(self.ctx.timers.armed))})


class OnPositions(Quiet):
    """Crosses averages, but only as its position, its open orders and its round trips allow."""

    def __init__(self) -> None:
        self.trades = 0
        self.answers: dict[str, int] = {}

    def on_candle_complete(self, timeframe, candle, data):
        closes = data.history("1m", 15, candle.symbol)["close"]
        if len(closes) < 15:
            return None
        held = self.ctx.position(candle.symbol).quantity
        open_orders = [order.number for order in self.ctx.open_orders()]
        tags = {
            "held": str(held),
            "open": str(open_orders),
            "answers": str(self.answers),
            "n": str(self.trades),
        }
        if len(open_orders) > 4:
            return Signal(symbol=candle.symbol, intent="cancel", tags=tags)
        up = closes[-5:].mean() > closes.mean()
        if up and held <= 0:
            return buy(candle.symbol, tags=tags)
        return buy(candle.symbol, intent="exit_long", tags=tags) if held > 0 and not up else None

    def on_signal_result(self, ack):
        self.answers[ack.decision] = self.answers.get(ack.decision, 0) + 1

    def on_fill(self, fill, position):
        account = self.ctx.account
        return buy(fill.symbol, leg="fill", tags={"money": f"{account.realised} {account.fees}"})

    def on_position_closed(self, trade):
        self.trades += 1
        return buy(trade.symbol, leg="closed", tags={"trade": str(trade)[:250]})

    def save_state(self):
        return {"trades": self.trades, "answers": self.answers}

    def load_state(self, state, version):
        self.trades, self.answers = state["trades"], state["answers"]


class OnBoundaries(Quiet):
    """Answers instants over all symbols."""

    def on_boundary(self, ts, closed, data):
        return buy("A", tags={"closed": str(sorted((s, t, c.close) for (s, t), c in closed.items()))[:250]})


class OnOrders(Quiet):
    """Answers every change of its orders."""

    def on_candle_complete(self, timeframe, candle, data):
        return buy(candle.symbol)

    def on_order_update(self, order):
        seen = self.ctx.kv[order.status] = self.ctx.kv.get(order.status, 0) + 1
        tags = {"seen": str(seen), "now": str(self.ctx.now), "open": str(len(self.ctx.open_orders()))}
        return buy(order.symbol, leg=order.status, tags=tags)


class OnSessions(Quiet):
    """Answers phases of days."""

    def on_session(self, phase, day):
        self.ctx.kv["days"] = self.ctx.kv.get("days", 0) + 1
        return buy("A", tags={"phase": phase, "day": str(day), "n": str(self.ctx.kv["days"])})


class OnParameters(Quiet):
    """Goes by a parameter that changes, and by how often it did."""

    def initialize(self, config):
        self.size, self.changes = config.parameters["size"], 0

    def on_parameters_updated(self, old, new):
        self.size, self.changes = new["size"], self.changes + 1

    def on_candle_complete(self, timeframe, candle, data):
        tags = {"changes": str(self.changes), "seen": str(self.ctx.params["size"])}
        return buy(candle.symbol, quantity=self.size, tags=tags)

    def save_state(self):
        return {"changes": self.changes}

    def load_state(self, state, version):
        self.changes = state["changes"]


class OnCommands(Quiet):
    """Does what it was told: by its own state, by chance, and with a timer."""

    def __init__(self) -> None:
        self.bias = 0.0
        self.told = 0

    def initialize(self, config):
        self.ctx.rng.random()  # what is drawn later is from where the checkpoint was

    def on_command(self, name, payload):
        if name == "refuse":
            raise ValueError("no")
        self.told += 1
        self.bias = payload["bias"] * self.ctx.rng.random()
        self.ctx.schedule("told", at=self.ctx.now + 30 * SECOND)
        return {"bias": self.bias}

    def on_candle_complete(self, timeframe, candle, data):
        return buy(candle.symbol, quantity=abs(self.bias) + 0.1, tags={"told": str(self.told)})

    def on_timer(self, name, ts):
        return buy("A", leg=name, tags={"bias": str(self.bias)})

    def save_state(self):
        return {"bias": self.bias, "told": self.told}

    def load_state(self, state, version):
        self.bias, self.told = state["bias"], state["told"]


ALL = [
    OnCandles, OnTicks, OnChance, OnIndicators, OnTimers, OnPositions, OnBoundaries, OnOrders, OnSessions,
    OnParameters,
    OnCommands,
]  # fmt: skip


# ---- a market, the engine's and the broker's part of it -------------------------------------------
class Stream:
    """Makes input at random. What answers a strategy is fed back, so the host and it are one run."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = T0
        self.closed = dict.fromkeys(SYMBOLS, T0)
        self.price = dict.fromkeys(SYMBOLS, 100.0)
        self.held = dict.fromkeys(SYMBOLS, 0.0)
        self.timers: dict[str, Schedule] = {}
        self.asked: list[Signal] = []
        self.accepted: list[Signal] = []
        self.filled = 0
        self.phases = 0
        self.seq = 0

    def hear(self, update: Update) -> None:
        if isinstance(update, Schedule) and update.name != WISH:
            self.timers[update.name] = update

    def next(self) -> Any:
        """The next event."""
        draw = self.random
        self.now += draw.randint(0, 20) * SECOND
        for name, timer in list(self.timers.items()):
            if timer.at <= self.now:
                del self.timers[name]
                if timer.every:
                    self.timers[name] = Schedule(name, timer.at + timer.every, timer.every)
                return TimerFired(name, timer.at)
        kinds = {
            "ticks": 40, "candle": 25, "pulse": 8, "ack": 15, "fill": 10, "status": 3, "pause": 1,
            "resume": 2, "parameters": 4, "order": 6, "session": 5,
        }  # fmt: skip
        kind = draw.choices(list(kinds), list(kinds.values()))[0]
        made = getattr(self, kind)()
        return self.ticks() if made is None else made

    def ticks(self) -> Ticks:
        symbol, ticks = self.random.choice(SYMBOLS), []
        for _ in range(self.random.randint(1, 4)):
            self.seq += 1
            self.price[symbol] *= 1 + self.random.uniform(-0.01, 0.01)
            price = self.price[symbol]
            late = self.random.choice([0, 0, 0, -3, 61]) * SECOND
            ticks.append(
                Tick(
                    symbol,
                    self.now + late + self.seq,
                    price,
                    self.random.random(),
                    price * 0.999,
                    seq=self.seq,
                )
            )
        return Ticks(1, self.seq, ticks)

    def candle(self) -> Candles:
        symbol = self.random.choice(SYMBOLS)
        start = self.closed[symbol]
        self.closed[symbol] = end = start + MINUTE
        self.now = max(self.now, end)
        candles = [self._candle(symbol, "1m", start, end)]
        if end % (5 * MINUTE) == 0:
            candles.append(self._candle(symbol, "5m", end - 5 * MINUTE, end))
        return Candles(1, 1, end, candles)

    def _candle(self, symbol: str, timeframe: str, start: int, end: int) -> Candle:
        close = self.price[symbol] * (1 + self.random.uniform(-0.01, 0.01))
        quality = self.random.choice(["ok"] * 9 + ["incomplete"])
        return Candle(
            symbol, timeframe, start, end, close, close * 1.01, close * 0.99, close, 5.0, quality=quality
        )

    def pulse(self) -> Pulse:
        return Pulse(1, self.now, {})

    def ack(self) -> Acked | None:
        if not self.asked:
            return None
        signal = self.asked.pop(0)
        decision = self.random.choice(["accepted", "accepted", "rejected", "duplicate"])
        if decision == "accepted" and signal.intent != "cancel":
            self.accepted.append(signal)
        return Acked(SignalAck("k", decision, signal_id=f"s{signal.number}", number=signal.number))

    def fill(self) -> Filled | None:
        if not self.accepted:
            return None
        signal = self.accepted.pop(0)
        self.filled += 1
        change = -self.held[signal.symbol] if signal.intent == "exit_long" else 1.0
        held = self.held[signal.symbol] = self.held[signal.symbol] + change
        price = self.price[signal.symbol]
        fill = Fill(
            f"f{self.filled}", f"s{signal.number}", "d1", "acc", signal.symbol, change, price, 0.1, self.now
        )
        position = Position(
            "d1", signal.symbol, held, price if held else 0.0, self.filled * 0.5, None, self.filled * 0.1
        )
        return Filled(fill, position)

    def status(self) -> FeedStatus:
        return FeedStatus("main", self.random.choice(["stale", "healthy", "gap"]), self.now)

    def pause(self) -> Pause:
        return Pause("lunch", self.random.choice([True, False]))

    def resume(self) -> Resume:
        return Resume()

    def session(self) -> TimerFired:
        day, rank = divmod(self.phases, 4)
        self.phases += 1
        return TimerFired(Phase(self.now, f"2024-01-{day % 28 + 1:02}", rank).timer, self.now)

    def order(self) -> OrderChanged | None:
        if not self.accepted:
            return None
        signal = self.accepted[0]
        status = self.random.choice(["working", "working", "cancelled"])
        if status == "cancelled":
            del self.accepted[0]
        made = OrderUpdate(
            order_id=f"o{signal.number}", signal_id=f"s{signal.number}", symbol=signal.symbol,
            status=status, at=self.now,
        )  # fmt: skip
        return OrderChanged(made)

    def parameters(self) -> Parameters:
        return Parameters({"size": float(self.random.randint(1, 4))})

    def command(self) -> Commanded:
        name = self.random.choice(["set_bias", "set_bias", "refuse"])
        return Commanded(name, b'{"bias":%d}' % self.random.randint(1, 9), self.random.getrandbits(60))


def past(seed: int) -> list[Candle]:
    """Candles before the first event, so that indicators are warm."""
    draw = random.Random(seed)
    found = []
    for symbol in SYMBOLS:
        for timeframe, span in (("1m", MINUTE), ("5m", 5 * MINUTE)):
            for n in range(WARMUP, 0, -1):
                end = T0 // span * span - (n - 1) * span
                close = 100 + draw.uniform(-5, 5)
                found.append(
                    Candle(symbol, timeframe, end - span, end, close, close + 1, close - 1, close, 1.0)
                )
    return sorted(found, key=lambda one: one.close_time)


class Life:
    """A run of one host that is never cut: its input, its signals, and the checkpoints taken on the way."""

    def __init__(self, kind: Callable[[], IStrategy], seed: int, length: int, saves: list[int]) -> None:
        self.stream = Stream(seed)
        self.updates: list[Update] = []
        first = config(parameters={"size": 1.0})
        self.host = Host(kind(), first, seed=seed, update=self._hear, errors_in_a_row=1)
        self.host.initialize()
        self.warmup = past(seed)
        self.host.handle(Welcome(1, T0, self.warmup))
        self.events: list[Any] = []
        self.signals: list[list[Signal]] = []
        self.saved: dict[int, tuple[Saved, bool]] = {}
        for at in range(length):
            if at in saves:
                self.host.handle(TakeCheckpoint())
                self.saved[at] = (
                    next(u for u in reversed(self.updates) if isinstance(u, Saved)),
                    self.host.phase == "paused",
                )
            event = self.stream.next()
            signals = self.host.handle(event)
            self.stream.asked += signals
            self.events.append(event)
            self.signals.append(signals)

    def _hear(self, update: Update) -> None:
        self.updates.append(update)
        self.stream.hear(update)

    def warm_at(self, at: int) -> list[Candle]:
        """The warm-up of a restart at ``at``: what closed up to there, and more, of which it knows better."""
        closed = [
            one for event in self.events[: at + 3] if isinstance(event, Candles) for one in event.candles
        ]
        return [*self.warmup, *closed]


def restored(kind: Callable[[], IStrategy], life: Life, at: int, seed: int) -> tuple[Host, list[Update]]:
    saved, paused = life.saved[at]
    updates: list[Update] = []
    newest = config(parameters={"size": 5.0})  # as an operator had them last, which was later
    host = Host(kind(), newest, seed=seed + 1, update=updates.append, errors_in_a_row=1)
    host.initialize()
    welcome = Welcome(
        2,
        T0,
        life.warm_at(at),
        state=saved.state,
        state_version=1,
        recovered=True,
        resumes=True,
        paused=paused,
    )
    assert host.handle(welcome) == []
    return host, updates


@pytest.mark.parametrize("kind", ALL)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 250), data=st.data())
def test_a_restart_from_any_checkpoint_gives_the_same_signals(kind, seed, length, data):
    at = data.draw(st.integers(0, length - 1))
    life = Life(kind, seed, length, [at])
    host, _ = restored(kind, life, at, seed)
    again = [host.handle(event) for event in life.events[at:]]
    assert msgspec.msgpack.encode(life.signals[at:]) == msgspec.msgpack.encode(again)


@pytest.mark.parametrize("kind", ALL)
def test_a_restart_of_a_restart_is_the_same_again(kind):
    """And its checkpoint is, byte for byte, what that of the uncut run is."""
    life = Life(kind, 11, 300, [100, 200])
    host, updates = restored(kind, life, 100, 11)
    signals = [host.handle(event) for event in life.events[100:200]]
    host.handle(TakeCheckpoint())
    second = next(u for u in reversed(updates) if isinstance(u, Saved))
    assert life.signals[100:200] == signals
    assert life.saved[200][0] == second


# ---- checkpoints that are none --------------------------------------------------------------------
def rich() -> tuple[Life, Saved]:
    life = Life(OnIndicators, 3, 120, [119])
    return life, life.saved[119][0]


LIFE, SOUND = rich()
VALUES = [
    None,
    True,
    -1,
    0,
    2**63,
    2**64 - 1,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x" * 300,
    b"",
    [],
    {},
    [[]],
    {"a": []},
]


def taken_back(packed: bytes) -> None:
    """Nothing but ``StateCorrupt`` comes of it, and what is taken back can be gone on with."""
    host = Host(OnIndicators(), config(), errors_in_a_row=1000, errors_per_minute=1000)
    host.initialize()
    try:
        host.handle(Welcome(2, T0, LIFE.warmup, state=packed, recovered=True, resumes=True))
    except StateCorrupt:
        return
    for event in LIFE.events[-20:]:
        host.handle(event)
    host.handle(TakeCheckpoint())


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(SOUND.state) - 1), bit=st.integers(0, 7), cut=st.booleans())
def test_a_flipped_bit_and_a_lost_end_are_called_corrupt_or_do_no_harm(at, bit, cut):
    whole = SOUND.state
    taken_back(whole[:at] if cut else whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested lists and dicts."""
    inside = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    return [path, *(deep for key, one in inside for deep in paths(one, (*path, key)))]


CONTENT = state.unpack(SOUND.state)
HOST = msgspec.msgpack.decode(CONTENT["host"])
PATHS = paths(HOST)


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(PATHS), value=st.sampled_from(VALUES))
def test_a_value_that_cannot_be_is_called_corrupt_or_does_no_harm(path, value):
    host = msgspec.msgpack.decode(CONTENT["host"])
    if path:
        place = host
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
    else:
        host = value
    taken_back(state.pack({**CONTENT, "host": msgspec.msgpack.encode(host)}))


@pytest.mark.parametrize("part", ["state", "kv", "rng", "host"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:12])
def test_a_part_that_is_something_else_is_called_corrupt_or_does_no_harm(part, value):
    taken_back(msgpack.packb({**CONTENT, part: value}))


@pytest.mark.parametrize("key", [float("nan"), 1.5, b"x", None, True], ids=lambda key: type(key).__name__)
def test_keys_that_pack_does_not_write_are_called_corrupt(key):
    with pytest.raises(StateCorrupt, match="keys are str or int"):
        state.unpack(msgpack.packb({"a": {key: 1}}))


def test_nesting_is_limited_on_both_ways():
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(StateCorrupt, match="nested deeper than 32"):
        state.unpack(msgpack.packb({"a": deep}))


def test_a_checkpoint_of_the_version_before_is_taken_back():
    """It held the strategy's state, its map, and what it had seen; the warm-up is the rest."""

    class Kept(Quiet):
        def load_state(self, state, version):
            self.loaded = state

    old = state.pack(
        {"state": {"n": 4}, "seen": {"A|1m": T0}, "kv": {"a": 1}, "opened": {"A": (5, 1.0, 0.5)}}
    )
    host = Host(Kept(), config())
    host.initialize()
    host.handle(Welcome(1, T0, LIFE.warmup, state=old, recovered=True))
    assert (host.strategy.loaded, host.ctx.kv) == ({"n": 4}, {"a": 1})
    assert host.ctx._books.opened == {"A": (5, 1.0, 0.5)}


def test_a_host_part_of_the_next_version_is_refused_in_one_line():
    newer = msgspec.msgpack.encode([2, *HOST[1:]])
    welcome = Welcome(1, T0, state=state.pack({**CONTENT, "host": newer}), recovered=True)
    host = Host(OnIndicators(), config())
    host.initialize()
    with pytest.raises(StateCorrupt, match="part of the host cannot be read") as raised:
        host.handle(welcome)
    assert "\n" not in str(raised.value)


def test_the_streams_ask_for_something():
    """So that the properties above are about something."""
    for kind in ALL:
        life = Life(kind, 5, 1000, [])
        assert sum(map(len, life.signals)) > 20, kind
    assert {type(event) for event in Life(OnTimers, 5, 400, []).events} >= {
        Ticks, Candles, Pulse, Acked, FeedStatus, Pause, Resume, TimerFired, Filled, Parameters,
        OrderChanged,
    }  # fmt: skip


def test_timers_are_armed_again_and_one_set_at_every_start_keeps_its_phase():
    life = Life(OnTimers, 5, 100, [99])
    _, updates = restored(OnTimers, life, 99, 5)
    armed = [update for update in updates if isinstance(update, Schedule)]
    kept = snapshot.decode(state.unpack(life.saved[99][0].state)["host"]).timers
    assert sorted(armed, key=lambda one: one.name) == sorted(kept, key=lambda one: one.name)
    assert {"often"} <= {timer.name for timer in armed}
    assert next(t for t in armed if t.name == "often").at % (45 * SECOND) == (T0 % (45 * SECOND))
