"""Whatever a strategy sends and the market does, and whoever dies: nothing is held that nobody guards."""

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bus.messages import Level, Tick, Trail
from strategies.trading.core import Core
from strategies.trading.levels import better, exact
from strategies.trading.records import Executed, Record
from strategies.trading.setup import Setup
from strategies.trading.terms import Terms
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal

BID = st.integers(9_000, 11_000).map(lambda cents: cents / 100)
SIZE = st.sampled_from([None, 1.0, 4.0])
STOP = st.sampled_from([Level("pct", 1.0), Level("pct", 9.0)])
ENTRY = st.fixed_dictionaries(
    {"quantity": st.sampled_from([1.0, 2.0, 3.0])},
    optional={
        "stop_loss": STOP,
        "take_profit": st.just(Level("pct", 3.0)),
        "trailing_stop": st.just(Trail("pct", 1.0, 1.0)),
        "reduce_only": st.booleans(),
    },
)
AWAY = st.sampled_from([None, -1, 1])
TICK = st.tuples(st.just("tick"), BID, SIZE)
STEP = st.one_of(
    TICK,
    TICK,
    st.tuples(st.just("send"), st.sampled_from(["enter_long", "enter_short"]), ENTRY, AWAY),
    st.tuples(st.just("send"), st.sampled_from(["exit_all", "cancel", "exit_long"]), st.just({}), st.none()),
    st.tuples(
        st.just("send"),
        st.just("target"),
        st.fixed_dictionaries({"target_quantity": st.sampled_from([-2.0, 0.0, 1.0, 3.0])}),
        st.none(),
    ),
    st.tuples(st.just("send"), st.just("adjust"), st.fixed_dictionaries({"stop_loss": STOP}), st.none()),
    st.tuples(st.just("pulse")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("latch"), st.sampled_from(["flatten", "lock", "pause"])),
)
CANCELLED = [
    ("send", "enter_long", {"quantity": 1.0}, -1),
    ("tick", 90.0, None),
    ("send", "exit_all", {}, None),
    ("tick", 90.0, 1.0),
    ("send", "cancel", {}, None),
]
"""A tick beyond the stop comes while an exit is on its way, which is then cancelled."""
TURNED = [
    ("send", "enter_short", {"quantity": 1.0}, None),
    ("tick", 90.0, None),
    ("send", "exit_all", {}, None),
    ("tick", 91.78, 1.0),
    ("send", "target", {"target_quantity": -2.0}, None),
]
"""The same, and then another order asks for more than that exit takes away."""
RISK = {"stop_loss_percentage": 2.0, "time_stop": 30.0}


class World:
    """A core, what it journalled, and the ticks as the tape has them."""

    def __init__(self, share):
        self.setup = Setup(paper=Terms(volume_share=share))
        self.core = running_core(grant(risk=RISK), setup=self.setup)
        self.records: list[Record] = []
        self.ticks: list[Tick] = []

    def took(self, outcome):
        self.records += () if outcome is None else outcome.records

    def step(self, step, key, now):
        price = self.ticks[-1].price if self.ticks else 100.0
        match step:
            case ("tick", bid, size):
                self.ticks.append(Tick("X", now, size and bid, size, bid, bid + 0.02, size, size))
                self.took(self.core.on_tick(self.ticks[-1], now))
            case ("send", intent, fields, away):
                if away is not None:
                    limit = round(price * (1 + away / 100), 2)
                    fields = fields | {"order_type": "limit", "limit_price": limit, "time_in_force": "gtc"}
                stamped = {"data_as_of": now, "generated_at": now, "reference_price": price}
                asked = signal(intent, key, **stamped, **fields)
                self.took(self.core.on_signals("d", 1, [asked], now))
            case ("pulse",):
                self.took(self.core.pulse(now))
            case ("latch", kind):
                self.took(self.core.latch(("deployment", "d"), kind, "why", "me", now))
                self.took(self.core.rearm(("deployment", "d"), "why", "me", now))
            case ("crash",):
                self.crash()

    def crash(self):
        self.core = Core(setup=self.setup)
        self.core.restore(msgspec.convert(msgspec.to_builtins(self.records), list[Record]))
        for number, each in enumerate(self.ticks, 1):
            self.took(self.core.see_again(each, number, each.ts))
        self.core.attach(grant(risk=RISK))
        self.core.running("d", 1)


@settings(max_examples=150)
@given(st.lists(STEP, max_size=25), st.sampled_from([None, 0.5]))
def test_all_that_is_held_has_its_stop_or_its_exit_on_the_way(steps, share):
    world = World(share)
    for key, step in enumerate(steps, 1):
        world.step(step, key, T0 + key * SECOND)
        for held in world.core.positions("d"):
            side = (held.quantity > 0) - (held.quantity < 0)
            if side == 0:
                continue
            guards = world.core.guards("d")
            leaving = sum(o.left for o in world.core._state.broker.everything() if o.role != "signal")
            assert guards or abs(leaving) >= abs(held.quantity), "neither guarded nor being closed"
            for guard in guards:
                widest = exact(guard.entry * (1 - side * 0.02))
                assert (guard.side, guard.entry) == (side, held.average_price)
                assert not better(side, widest, guard.stop)


@settings(max_examples=150)
@given(st.lists(STEP, max_size=25), st.sampled_from([None, 0.5]))
def test_no_exit_of_the_engine_ever_opens_or_adds_to_a_position(steps, share):
    world = World(share)
    for key, step in enumerate(steps, 1):
        world.step(step, key, T0 + key * SECOND)
    held = 0.0
    for record in world.records:
        if type(record) is Executed:
            after = record.position.quantity
            if record.role != "signal":
                assert abs(after) < abs(held)
                assert after * held >= 0
            held = after


@settings(max_examples=150)
@example(CANCELLED, 0.5)
@example(TURNED, 0.5)
@given(st.lists(STEP, max_size=25), st.sampled_from([None, 0.5]))
def test_ticks_that_were_had_do_nothing_when_they_are_seen_again(steps, share):
    world = World(share)
    for key, step in enumerate(steps, 1):
        world.step(step, key, T0 + key * SECOND)
    for _ in range(2):
        count = len(world.records)
        world.crash()
        assert world.records[count:] == []
