"""What no input may ever bring about."""

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Level
from strategies.trading.figures import Figures
from strategies.trading.gate import judge
from strategies.trading.instruments import Instrument
from strategies.trading.limits import Limits
from strategies.trading.rules import RULES
from strategies.trading.view import Party, Session
from tests.strategies.trading.gate_world import (
    ENTRY,
    EXIT,
    NOW,
    VIEW,
)

ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True)
BOUND = Limits(
    max_position_size=5.0, max_notional=500.0, max_exposure=900.0, max_open_positions=3, max_orders_per_min=4,
    max_orders_per_day=5, max_identical_orders_per_min=3, max_daily_loss=100.0, max_drawdown=50.0,
)  # fmt: skip


def mostly(usual, odd):
    """Draw what is usual, and now and then one field of ``odd``: else nothing would ever be accepted."""
    one = st.sampled_from(sorted(odd)).flatmap(lambda name: odd[name].map(lambda value: {name: value}))
    return st.tuples(usual, st.just({}) | st.just({}) | st.just({}) | one).map(lambda both: both[0] | both[1])


ENTERS = st.sampled_from(["enter_long", "enter_short"])
STOP = st.builds(Level, st.sampled_from(["pct", "ticks"]), st.floats(0.5, 20))
SIZES = st.one_of(
    st.fixed_dictionaries({"intent": ENTERS, "quantity": st.floats(0.01, 5)}),
    st.fixed_dictionaries({"intent": ENTERS, "notional": st.floats(1, 500), "quantity": st.none()}),
    st.fixed_dictionaries(
        {"intent": ENTERS, "risk_pct": st.floats(0.1, 5), "stop_loss": STOP, "quantity": st.none()}
    ),
    st.fixed_dictionaries(
        {"intent": st.just("target"), "target_quantity": st.floats(-6, 6), "quantity": st.none()}
    ),
    st.fixed_dictionaries(
        {"intent": st.just("target"), "target_weight": st.floats(-1, 1), "quantity": st.none()}
    ),
    st.fixed_dictionaries(
        {"intent": st.sampled_from(["exit_long", "exit_short", "exit_all"]), "quantity": st.none()}
    ),
)
KINDS = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"order_type": st.just("limit"), "limit_price": st.sampled_from([96.0, 99.0, 104.0])}
    ),
    st.fixed_dictionaries({"order_type": st.just("stop"), "stop_price": st.sampled_from([97.5, 101.5])}),
)
ASKED = mostly(
    st.tuples(SIZES, KINDS).map(lambda parts: parts[0] | parts[1]),
    {
        "quantity": ANY, "notional": ANY, "target_quantity": ANY, "risk_pct": ANY, "reference_price": ANY,
        "limit_price": ANY, "stop_price": ANY, "reduce_only": st.booleans(), "take_profit": STOP,
        "stop_loss": st.builds(Level, st.sampled_from(["price", "pct", "ticks", "atr"]), st.floats()),
    },
)  # fmt: skip
FIGURES = mostly(
    st.fixed_dictionaries({
        "scope": st.just("account"), "name": st.just("A"), "start_equity": st.floats(900, 1000),
        "peak_equity": st.floats(1000, 1100), "orders": st.integers(0, 5),
    }),
    {"start_equity": ANY, "peak_equity": ANY},
).map(lambda fields: Figures(**fields))  # fmt: skip
PARTIES = mostly(
    st.fixed_dictionaries({
        "limits": st.just(BOUND), "held": st.floats(-3, 3), "buying": st.just(0.0) | st.floats(0, 3),
        "selling": st.just(0.0) | st.floats(-3, 0), "due": st.just(0.0) | st.floats(-1, 1),
        "elsewhere": st.floats(0, 700), "open_elsewhere": st.integers(0, 3), "equity": st.floats(880, 1100),
        "figures": FIGURES, "orders_minute": st.integers(0, 4), "identical": st.integers(0, 3),
    }),
    {"elsewhere": ANY, "equity": ANY, "figures": st.none(), "held": st.floats(-9, 9)},
).map(lambda fields: Party(**fields))  # fmt: skip
WORLD = mostly(
    st.fixed_dictionaries({
        "price": st.floats(98, 102), "rate": st.just(1.0) | st.floats(0.5, 2), "own": PARTIES,
        "account": PARTIES, "instrument": st.just(Instrument(symbol="X", tick_size=0.5, lot_size=0.1)),
    }),
    {"price": ANY, "rate": ANY, "instrument": st.none()},
)  # fmt: skip


@settings(max_examples=400)
@given(ASKED, WORLD)
def test_nothing_that_is_accepted_breaks_a_limit(fields, world):
    view = msgspec.structs.replace(VIEW, **world)
    verdict = judge(msgspec.structs.replace(ENTRY, **fields), view, NOW)
    if not verdict.passed:
        assert verdict.rule in RULES.keys() - {"unjudged"}
        assert verdict.detail
        return
    assert math.isfinite(verdict.quantity)
    assert verdict.quantity != 0.0
    if verdict.reduce_only:
        expected = view.own.expected
        assert abs(verdict.quantity) <= abs(expected)
        assert (verdict.quantity > 0) == (expected < 0)
        return
    for party in (view.own, view.account):
        worst = abs(party.held + (party.buying if verdict.quantity > 0 else party.selling) + verdict.quantity)
        assert worst <= 5.0
        assert worst * view.price * view.rate <= 500.0
        mine = abs(view.own.worst(verdict.quantity))
        assert party.elsewhere + mine * view.price * view.rate <= 900.0
        assert party.orders_minute < 4
        assert party.identical < 3
        assert party.figures.orders < 5
        assert party.figures.start_equity - party.equity <= 100.0 + 1e-6
        assert party.figures.peak_equity - party.equity <= party.figures.peak_equity / 2 + 1e-6
        is_open = view.own.held or view.own.buying or view.own.selling
        assert is_open or party.open_elsewhere < 3


@given(
    WORLD,
    st.sampled_from([Session(open=None), Session(open=False), Session()]),
    st.sampled_from(["none", "clear", "denied", "unreachable"]),
    st.sampled_from(["paper", "live", "backtest"]),
)
def test_whoever_holds_something_can_always_exit_all_of_it(world, session, clearance, mode):
    world["own"] = msgspec.structs.replace(world["own"], held=3.0, due=0.0)
    view = msgspec.structs.replace(VIEW, session=session, clearance=clearance, mode=mode, **world)
    assert judge(EXIT, view, NOW).quantity == -3.0


SMALL_OR_LARGE = st.floats(5e-324, 1e15) | st.sampled_from([5e-324, 1e-300, 1e-9, 1e15])
"""What decodes as a price or a size (``bus.messages.Price``)."""
STEPS = st.none() | st.sampled_from([5e-324, 1e-8, 0.01, 1.0, 100.0, 1e12])
TERMS = st.fixed_dictionaries(
    {
        "tick_size": STEPS,
        "lot_size": STEPS,
        "min_quantity": STEPS,
        "multiplier": st.sampled_from([1e-12, 1.0, 1e12]),
    }
)
ANY_SIZE = st.one_of(
    st.builds(
        lambda name, size: {"intent": "enter_long", "quantity": None, name: size},
        st.sampled_from(["quantity", "notional"]),
        SMALL_OR_LARGE,
    ),
    st.builds(
        lambda size: {"intent": "enter_long", "quantity": None, "risk_pct": size}, st.floats(5e-324, 100.0)
    ),
    st.builds(
        lambda name, size, side: {"intent": "target", "quantity": None, name: side * size},
        st.sampled_from(["target_quantity", "target_weight"]),
        SMALL_OR_LARGE,
        st.sampled_from([1, -1]),
    ),
)
PRICED = st.just({}) | SMALL_OR_LARGE.map(lambda limit: {"order_type": "limit", "limit_price": limit})


@given(TERMS, ANY_SIZE, PRICED, SMALL_OR_LARGE, st.sampled_from([-10.0, 0.0, 10.0]))
def test_whatever_a_strategy_may_send_is_judged(terms, asked, priced, stop, held):
    view = msgspec.structs.replace(
        VIEW,
        instrument=Instrument(symbol="X", **terms),
        own=msgspec.structs.replace(VIEW.own, held=held),
        account=msgspec.structs.replace(VIEW.account, equity=1e9),
    )
    sent = {**asked, **priced, "stop_loss": Level("price", stop)}
    verdict = judge(msgspec.structs.replace(ENTRY, **sent), view, NOW)
    assert "unjudged" != verdict.rule, verdict.detail
    if verdict.passed:
        assert 0 < abs(verdict.quantity) <= 1e15


@pytest.mark.parametrize(
    ("terms", "asked"),
    [
        ({"lot_size": 1.0}, {"notional": 1e15, "limit_price": 5e-324, "order_type": "limit"}),
        ({"min_quantity": 1.0}, {"notional": 5e-324}),
    ],
)
def test_sizes_that_division_takes_out_of_all_bounds_are_refused(terms, asked):
    view = msgspec.structs.replace(VIEW, instrument=Instrument(symbol="X", **terms))
    sent = {"intent": "enter_long", "quantity": None, **asked}
    assert "quantity_out_of_range" == judge(msgspec.structs.replace(ENTRY, **sent), view, NOW).rule
