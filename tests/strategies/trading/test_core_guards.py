"""Protective exits through the one door of the core: as strategies ask for them, over deaths and crashes."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Filled, Level, Tick, Trail
from strategies.trading.core import Core
from strategies.trading.protection import Protection
from strategies.trading.records import Executed, Guarded, Judged, Placed, Record, Unguarded
from tests.strategies.trading.trading_world import SECOND, T0, grant, running_core, signal, verdicts

LONG = {"stop_loss": Level("pct", 2.0), "take_profit": Level("pct", 4.0)}


class Session:
    """A core, all that it journalled, and ticks that are numbered as the tape numbers them."""

    def __init__(self, *grants, **fields):
        self.grants, self.fields = grants or (grant(),), fields
        self.core = running_core(*self.grants, **fields)
        self.records: list[Record] = []
        self.ticks: list[Tick] = []
        self.key = 0

    def took(self, outcome):
        if outcome is not None:
            self.records += outcome.records
        return outcome

    def send(self, intent="enter_long", symbol="X", **fields):
        self.key += 1
        now = self.ticks[-1].ts if self.ticks else T0
        price = self.ticks[-1].price if self.ticks else 100.0
        stamped = {"data_as_of": now, "generated_at": now, "reference_price": price} | fields
        return self.took(self.core.on_signals("d", 1, [signal(intent, self.key, symbol, **stamped)], now))

    def tick(self, bid=None, ask=None, *, last=None, at=None, symbol="X"):
        ts = T0 + (len(self.ticks) + 1) * SECOND if at is None else at
        self.ticks.append(Tick(symbol, ts, last, None, bid, bid + 0.02 if ask is None and bid else ask))
        return self.took(self.core.on_tick(self.ticks[-1], ts))

    def enter(self, intent="enter_long", price=100.0, **fields):
        self.send(intent, **fields)
        self.tick(price - 0.02, price) if intent == "enter_long" else self.tick(price, price + 0.02)

    def crash(self, marked=0):
        """Die, recover from the journal, and see the ticks behind number ``marked`` again."""
        self.core = Core(**self.fields)
        self.core.restore(msgspec.convert(msgspec.to_builtins(self.records), list[Record]))
        self.core.recall(self.ticks[marked - 1 : marked] if marked else [], [("X", marked)])
        for number, each in enumerate(self.ticks[marked:], marked + 1):
            self.took(self.core.see_again(each, number, each.ts))
        for each in self.grants:
            self.core.attach(each)
            self.core.running(each.deployment_id, each.generation)

    @property
    def held(self):
        return sum(position.quantity for position in self.core.positions("d"))

    @property
    def guard(self):
        [guard] = self.core.guards("d")
        return guard

    @property
    def exits(self):
        return [
            (r.role, r.fill.quantity, r.fill.price)
            for r in self.records
            if type(r) is Executed and r.role != "signal"
        ]


# ---- what is asked for is held --------------------------------------------------------------------
def test_a_stop_closes_the_position_at_the_bid_that_touches_it():
    s = Session()
    s.enter(quantity=3.0, **LONG)
    assert (s.guard.stop, s.guard.target) == (98.0, 104.0)
    assert s.tick(98.01) is None or not s.exits
    s.tick(98.0)
    assert s.exits == [("stop_loss", -3.0, 98.0)]
    assert s.held == 0.0
    assert s.core.guards("d") == []


def test_a_short_is_closed_at_the_ask():
    s = Session()
    s.enter("enter_short", quantity=2.0, **LONG)
    s.tick(101.95, 101.99)
    assert s.exits == []
    s.tick(101.9, 102.0)
    assert s.exits == [("stop_loss", 2.0, 102.0)]


def test_across_a_gap_it_is_closed_where_the_market_is():
    s = Session()
    s.enter(**LONG)
    s.tick(91.0)
    assert s.exits == [("stop_loss", -1.0, 91.0)]


def test_a_target_a_trailing_stop_and_a_time_stop_close_it_too():
    s = Session()
    s.enter(**LONG)
    s.tick(104.5)
    s.enter(price=104.0, trailing_stop=Trail("price", 2.0, 1.0))
    for bid in (104.9, 102.0, 106.0, 104.01):
        s.tick(bid)
    assert s.held == 1.0
    s.tick(104.0)
    s.enter(price=104.0, time_stop_s=5.0)
    opened = s.ticks[-1].ts
    s.tick(103.0, at=opened + 5 * SECOND - 1)
    assert s.held == 1.0
    s.tick(103.0, at=opened + 5 * SECOND)
    assert s.exits == [
        ("take_profit", -1.0, 104.5), ("trailing_stop", -1.0, 104.0), ("time_stop", -1.0, 103.0)
    ]  # fmt: skip


def test_what_is_configured_guards_entries_that_ask_for_nothing():
    s = Session(grant(risk={"stop_loss_percentage": 1.0, "trailing_stop_percentage": 3.0}))
    s.enter()
    assert (s.guard.stop, s.guard.trail_stop) == (99.0, 97.0)
    s.tick(98.9)
    assert s.exits == [("stop_loss", -1.0, 98.9)]


def test_a_configured_stop_cannot_be_loosened():
    s = Session(grant(risk={"stop_loss_percentage": 1.0}))
    s.enter(stop_loss=Level("pct", 5.0))
    assert s.guard.stop == 99.0
    assert verdicts(s.send("adjust", stop_loss=Level("price", 95.0))) == ["adjust_refused"]
    s.send("enter_long")
    s.tick(102.0, 103.0)
    assert s.guard.stop == 101.5 * 0.99
    assert s.guard.entry == 101.5


def test_an_adjust_tightens_a_stop_and_sets_one_where_none_was():
    s = Session()
    s.enter()
    assert s.core.guards("d") == []
    assert verdicts(s.send("adjust", stop_loss=Level("price", 97.0))) == ["accepted"]
    assert s.guard.stop == 97.0
    assert verdicts(s.send("adjust", stop_loss=Level("price", 99.0))) == ["accepted"]
    assert verdicts(s.send("adjust", stop_loss=Level("price", 98.0))) == ["adjust_refused"]
    assert s.guard.stop == 99.0
    s.tick(98.5)
    assert s.exits == [("stop_loss", -1.0, 98.5)]


def test_the_cell_is_told_why_its_position_is_gone():
    s = Session()
    s.enter(**LONG)
    [(_, _, body)] = [c for c in s.tick(97.0).commands if isinstance(c[2], Filled)]
    assert (body.fill.role, body.position.quantity) == ("stop_loss", 0.0)


# ---- whatever becomes of the strategy -------------------------------------------------------------
@pytest.mark.parametrize("fate", ["detached", "paused", "stopped", "latched"])
def test_a_stop_acts_whatever_became_of_the_strategy(fate):
    s = Session()
    s.enter(**LONG)
    match fate:
        case "detached":
            s.core.detach("d", 1)
        case "paused":
            s.core.direct("d", 1, "pause", "", exit_only=False)
        case "stopped":
            s.core.direct("d", 1, "stop", "", exit_only=False)
        case "latched":
            s.took(s.core.latch(("deployment", "d"), "pause", "test", "me", T0))
    s.tick(97.0)
    assert s.exits == [("stop_loss", -1.0, 97.0)]


def test_a_cancel_of_the_strategy_does_not_mean_the_exit():
    s = Session()
    s.enter(time_stop_s=1.0)
    s.took(s.core.pulse(s.ticks[-1].ts + SECOND))
    s.send("cancel")
    s.tick(99.0)
    assert s.exits == [("time_stop", -1.0, 99.0)]


def test_a_time_stop_of_a_quiet_symbol_is_ordered_by_its_own_clock_and_once():
    s = Session()
    s.enter(time_stop_s=60.0)
    later = s.ticks[-1].ts + 60 * SECOND
    s.took(s.core.pulse(later, lambda _: later - 1))
    assert not [r for r in s.records if type(r) is Unguarded]
    for seconds in range(3):
        s.took(s.core.pulse(later + seconds * SECOND, lambda _: later))
    assert len([r for r in s.records if type(r) is Placed and r.order.role == "time_stop"]) == 1
    s.tick(99.5, at=later + 5 * SECOND)
    assert s.exits == [("time_stop", -1.0, 99.5)]


def test_an_exit_that_is_on_its_way_is_not_ordered_twice():
    s = Session()
    s.enter(quantity=2.0, **LONG)
    s.send("exit_all")
    s.tick(97.0)
    assert s.held == 0.0
    assert sum(r.fill.quantity for r in s.records if type(r) is Executed) == 0.0


def test_a_price_out_of_session_or_of_the_wrong_side_closes_nothing():
    s = Session()
    s.enter(**LONG)
    s.took(s.core.on_tick(Tick("X", T0 + 60 * SECOND, 90.0, flags=1), T0 + 60 * SECOND))
    s.tick(None, 90.0)
    assert s.exits == []


@pytest.mark.parametrize("gone_by", ["stop", "exit"])
def test_what_was_to_close_and_open_only_opens_once_a_stop_has_closed(gone_by):
    # Short 3 while long 10 is an order of 13. Were all of it to fill later, the limit of 10 would be passed.
    s = Session(grant(risk={"max_position_size": 10.0}))
    s.enter(quantity=10.0, **LONG)
    s.send("enter_short", quantity=3.0, order_type="limit", limit_price=103.0, time_in_force="gtc")
    if gone_by == "exit":
        assert verdicts(s.send("exit_long")) == ["accepted"]
    s.tick(97.0)
    assert s.held == 0.0
    s.tick(103.5)
    assert s.held == -3.0


def test_what_was_to_close_and_open_does_both_while_there_is_something_to_close():
    s = Session(grant(risk={"max_position_size": 10.0}))
    s.enter(quantity=10.0, **LONG)
    s.send("enter_short", quantity=3.0, order_type="limit", limit_price=103.0, time_in_force="gtc")
    s.tick(103.5)
    assert s.held == -3.0


# ---- whatever becomes of the engine ---------------------------------------------------------------
def test_a_stop_that_was_touched_while_the_engine_was_dead_acts_on_the_tick_that_touched_it():
    s = Session()
    s.enter(**LONG)
    for bid in (99.0, 97.5, 101.0):  # published, and the engine died before it looked at them
        s.ticks.append(Tick("X", s.ticks[-1].ts + SECOND, None, None, bid, bid + 0.02))
    s.crash()
    assert s.exits == [("stop_loss", -1.0, 97.5)]
    s.crash()
    assert len(s.exits) == 1


def test_a_best_price_that_no_record_tells_is_found_again_on_the_tape():
    s = Session()
    s.enter(trailing_stop=Trail("price", 2.0))
    s.tick(110.0)
    assert not [r for r in s.records if type(r) is Guarded and r.guard.trail_stop == 108.0]
    s.crash()
    assert s.guard.trail_stop == 108.0
    s.tick(108.0)
    assert s.exits == [("trailing_stop", -1.0, 108.0)]


def test_a_mark_writes_the_best_price_down():
    s = Session()
    s.enter(trailing_stop=Trail("price", 2.0))
    s.tick(110.0)
    s.took(s.core.keep(s.ticks[-1].ts))
    s.crash(marked=len(s.ticks))
    assert s.guard.trail_stop == 108.0


BIDS = st.lists(st.integers(9_300, 10_700).map(lambda cents: cents / 100), min_size=1, max_size=20)
EXITS = st.fixed_dictionaries(
    {},
    optional={
        "stop_loss": st.sampled_from([Level("pct", 1.0), Level("pct", 4.0), Level("price", 97.0)]),
        "take_profit": st.sampled_from([Level("pct", 1.0), Level("price", 105.0)]),
        "trailing_stop": st.sampled_from([Trail("pct", 1.0), Trail("price", 2.0, 1.0)]),
        "time_stop_s": st.sampled_from([3.0, 9.0]),
    },
)


@settings(max_examples=100)
@given(EXITS, BIDS, st.data())
def test_an_engine_that_dies_at_any_tick_closes_what_one_that_lives_closes(asked, bids, data):
    lives, dies = Session(), Session()
    for each in (lives, dies):
        each.enter(quantity=2.0, **asked)
    marked, deaths = 0, data.draw(st.sets(st.integers(0, len(bids) - 1), max_size=3))
    for index, bid in enumerate(bids):
        lives.tick(bid)
        if index in deaths:  # on the tape, and not looked at: all since the mark is seen again
            dies.ticks.append(lives.ticks[-1])
            dies.crash(marked)
        else:
            dies.tick(bid)
        if data.draw(st.booleans(), label="mark"):
            marked = len(dies.ticks)
            dies.took(dies.core.keep(dies.ticks[-1].ts))
    assert dies.exits == lives.exits
    assert dies.held == lives.held
    assert len(lives.exits) <= 1


@given(EXITS, BIDS)
def test_the_journal_alone_gives_the_state_that_it_was_written_by(asked, bids):
    s = Session(grant(risk={"stop_loss_percentage": 3.0}))
    s.enter(**asked)
    for bid in bids:
        s.tick(bid)
        s.took(s.core.keep(s.ticks[-1].ts))
    again = Core()
    again.restore(s.records)
    assert msgspec.msgpack.encode(again.snapshot()) == msgspec.msgpack.encode(s.core.snapshot())


def test_a_journalled_guard_does_not_ask_what_is_configured_now():
    s = Session(grant(risk={"stop_loss_percentage": 3.0}))
    s.enter()
    s.grants = (grant(risk={}),)
    s.crash(marked=len(s.ticks))
    assert s.guard.stop == 97.0
    assert s.guard.protect == Protection(widest_stop=3.0)


def test_the_exit_can_be_read_among_the_signals_with_its_reason():
    s = Session()
    s.enter(**LONG)
    s.tick(97.0)
    [judged] = [r for r in s.records if type(r) is Judged and r.signal.timeframe == "engine"]
    assert judged.signal.reason.code == "stop_loss"
    assert "98" in judged.signal.reason.text
