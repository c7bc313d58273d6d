import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from bus.messages import Level, Signal
from strategies.trading.instruments import Instrument
from strategies.trading.orders import DUST
from strategies.trading.rules import Refusal
from strategies.trading.sizing import Money, Size, in_lots, reduces, size

STOP = Level("price", 95.0)
MONEY = Money(unit=100.0, equity=10_000.0, at_stake=5.0)


def signal(intent, **fields):
    return Signal(symbol="X", intent=intent, **fields)


@pytest.mark.parametrize(
    ("intent", "fields", "expected", "order"),
    [
        ("enter_long", {"quantity": 3.0}, 0.0, Size(3.0)),
        ("enter_short", {"quantity": 3.0}, 0.0, Size(-3.0)),
        ("enter_long", {"quantity": 3.0}, 2.0, Size(3.0)),  # adds
        ("enter_short", {"quantity": 3.0}, -2.0, Size(-3.0)),
        ("enter_long", {"quantity": 3.0}, 0.5, Size(3.0)),
        ("enter_short", {"quantity": 3.0}, 0.5, Size(-3.5)),
        ("enter_short", {"quantity": 3.0}, 10.0, Size(-13.0)),  # exit, then enter
        ("enter_long", {"quantity": 3.0}, -10.0, Size(13.0)),
        ("enter_long", {"notional": 250.0}, 0.0, Size(2.5)),
        ("exit_long", {}, 10.0, Size(-10.0, reduce_only=True)),
        ("exit_long", {"quantity": 4.0}, 10.0, Size(-4.0, reduce_only=True)),
        ("exit_long", {"quantity": 10.0}, 10.0, Size(-10.0, reduce_only=True)),
        ("exit_long", {"quantity": 11.0}, 10.0, Size(-10.0, reduce_only=True, clipped=True)),
        ("exit_long", {"notional": 400.0}, 10.0, Size(-4.0, reduce_only=True)),
        ("exit_short", {}, -10.0, Size(10.0, reduce_only=True)),
        ("exit_short", {"quantity": 4.0}, -10.0, Size(4.0, reduce_only=True)),
        ("exit_all", {}, 10.0, Size(-10.0, reduce_only=True)),
        ("exit_all", {}, -10.0, Size(10.0, reduce_only=True)),
        ("enter_short", {"quantity": 4.0, "reduce_only": True}, 10.0, Size(-4.0, reduce_only=True)),
        ("enter_long", {"quantity": 4.0, "reduce_only": True}, -10.0, Size(4.0, reduce_only=True)),
        ("enter_long", {"notional": 400.0, "reduce_only": True}, -10.0, Size(4.0, reduce_only=True)),
        ("exit_long", {"quantity": 0.2}, 0.5, Size(-0.2, reduce_only=True)),
        ("exit_short", {"quantity": 0.2}, -0.5, Size(0.2, reduce_only=True)),
        ("target", {"target_quantity": 0.25}, 0.5, Size(-0.25, reduce_only=True)),
        ("target", {"target_quantity": -0.25}, -0.5, Size(0.25, reduce_only=True)),
        ("target", {"target_quantity": 5.0}, 0.0, Size(5.0)),
        ("target", {"target_quantity": -5.0}, 5.0, Size(-10.0)),
        ("target", {"target_quantity": 2.0}, 5.0, Size(-3.0, reduce_only=True)),
        ("target", {"target_quantity": 0.0}, -5.0, Size(5.0, reduce_only=True)),
        ("target", {"target_weight": 0.5}, 0.0, Size(50.0)),  # half of 10,000 at 100 a unit
        ("target", {"target_weight": -0.5}, 10.0, Size(-60.0)),
        ("target", {"target_weight": 0.05}, 10.0, Size(-5.0, reduce_only=True)),
        ("target", {"target_weight": 0.0}, 10.0, Size(-10.0, reduce_only=True)),
        ("enter_long", {"risk_pct": 1.0, "stop_loss": STOP}, 0.0, Size(20.0)),  # 100 at 5 a unit
        ("enter_short", {"risk_pct": 0.5, "stop_loss": STOP}, 4.0, Size(-14.0)),
    ],
)
def test_a_signal_becomes_a_signed_order(intent, fields, expected, order):
    assert size(signal(intent, **fields), expected, MONEY) == order


@pytest.mark.parametrize(
    ("intent", "fields", "expected", "rule"),
    [
        ("enter_long", {}, 0.0, "sizing_missing"),
        ("enter_long", {"target_quantity": 1.0}, 0.0, "sizing_missing"),
        ("target", {}, 0.0, "sizing_missing"),
        ("target", {"quantity": 1.0}, 0.0, "sizing_missing"),
        ("enter_long", {"quantity": 1.0, "notional": 5.0}, 0.0, "sizing_ambiguous"),
        ("enter_long", {"target_weight": 0.1}, 0.0, "sizing_missing"),
        ("target", {"target_weight": 0.1, "target_quantity": 1.0}, 0.0, "sizing_ambiguous"),
        ("enter_long", {"risk_pct": 1.0}, 0.0, "stop_missing"),
        ("target", {"risk_pct": 1.0}, 0.0, "sizing_missing"),
        ("exit_long", {"risk_pct": 1.0}, 5.0, "sizing_not_allowed"),
        ("exit_long", {"target_weight": 1.0}, 5.0, "sizing_not_allowed"),
        ("exit_all", {"quantity": 1.0}, 5.0, "sizing_not_allowed"),
        ("exit_long", {"target_quantity": 1.0}, 5.0, "sizing_not_allowed"),
        ("exit_long", {}, 0.0, "no_position"),
        ("exit_long", {}, -5.0, "no_position"),
        ("exit_short", {}, 5.0, "no_position"),
        ("exit_all", {}, 0.0, "no_position"),
        ("enter_short", {"quantity": 1.0, "reduce_only": True}, 0.0, "no_position"),
        ("enter_short", {"quantity": 1.0, "reduce_only": True}, -5.0, "no_position"),
        ("enter_long", {"quantity": 1.0, "reduce_only": True}, 5.0, "no_position"),
        ("target", {"target_quantity": 5.0}, 5.0, "already_at_target"),
        ("target", {"target_quantity": 9.0, "reduce_only": True}, 5.0, "reduce_only"),
        ("target", {"target_quantity": -1.0, "reduce_only": True}, 5.0, "reduce_only"),
    ],
)
def test_what_gives_no_order_names_its_rule(intent, fields, expected, rule):
    answer = size(signal(intent, **fields), expected, MONEY)
    assert isinstance(answer, Refusal)
    assert answer.rule == rule


@pytest.mark.parametrize(
    ("intent", "fields", "expected", "detail"),
    [
        (
            "enter_long", {}, 0.0,
            "no size is given; enter_long takes quantity, notional or risk_pct",
        ),
        (
            "enter_short", {"target_weight": 1.0}, 0.0,
            "target_weight is for intent target; enter_short takes quantity, notional or risk_pct",
        ),
        ("target", {}, 0.0, "no size is given; intent target takes target_quantity or target_weight"),
        (
            "target", {"notional": 1.0}, 0.0,
            "notional is given; intent target takes target_quantity or target_weight",
        ),
        (
            "enter_long", {"quantity": 1.0, "notional": 5.0, "risk_pct": 1.0}, 0.0,
            "quantity and notional and risk_pct are given; give one of them",
        ),
        ("enter_long", {"risk_pct": 1.0}, 0.0, "risk_pct needs stop_loss: it is what that loses, in percent"),
        ("exit_all", {"quantity": 1.0}, 5.0, "quantity is given; exit_all takes no size"),
        (
            "exit_long", {"risk_pct": 1.0}, 5.0,
            "risk_pct is given; exit_long takes quantity, notional or nothing (all)",
        ),
        ("exit_long", {}, -5.0, "no long position in X (it is -5)"),
        ("exit_short", {}, 5.0, "no short position in X (it is 5)"),
        ("exit_all", {}, 0.0, "no position in X (it is 0)"),
        ("target", {"target_quantity": 5.0}, 5.0, "the position in X is 5 already"),
        (
            "target", {"target_quantity": 9.0, "reduce_only": True}, 5.0,
            "from 5 to 9 does not only reduce the position",
        ),
    ],
)  # fmt: skip
def test_what_gives_no_order_says_what_would(intent, fields, expected, detail):
    assert size(signal(intent, **fields), expected, MONEY).detail == detail


@pytest.mark.parametrize(
    ("fields", "lacks", "detail"),
    [
        ({"notional": 1.0}, "unit", "notional needs what a unit of X is worth"),
        (
            {"risk_pct": 1.0, "stop_loss": STOP}, "equity",
            "risk_pct needs the equity of the account, which is unknown",
        ),
        (
            {"risk_pct": 1.0, "stop_loss": STOP}, "at_stake",
            "risk_pct needs a stop_loss on the losing side of the price",
        ),
    ],
)  # fmt: skip
def test_what_is_unknown_is_named(fields, lacks, detail):
    assert size(signal("enter_long", **fields), 0.0, replace(MONEY, **{lacks: None})).detail == detail


BY_RISK = {"risk_pct": 1.0, "stop_loss": STOP}
UNKNOWN = [None, math.nan, math.inf, 0.0, -1.0]


@pytest.mark.parametrize("unknown", UNKNOWN)
@pytest.mark.parametrize(
    ("intent", "fields", "lacks", "rule"),
    [
        ("enter_long", {"notional": 100.0}, "unit", "price_unknown"),
        ("exit_long", {"notional": 100.0}, "unit", "price_unknown"),
        ("enter_long", BY_RISK, "unit", "price_unknown"),
        ("enter_long", BY_RISK, "equity", "equity_unknown"),
        ("enter_long", BY_RISK, "at_stake", "stop_side"),
        ("target", {"target_weight": 0.1}, "unit", "equity_unknown"),
        ("target", {"target_weight": 0.1}, "equity", "equity_unknown"),
    ],
)
def test_what_a_size_needs_and_nobody_knows_is_never_taken_for_zero(intent, fields, lacks, rule, unknown):
    answer = size(signal(intent, **fields), 5.0, replace(MONEY, **{lacks: unknown}))
    assert isinstance(answer, Refusal)
    assert answer.rule == rule


def test_a_weight_says_which_of_both_is_unknown():
    weight = signal("target", target_weight=0.1)
    assert size(weight, 0.0, Money(unit=1.0)).detail == (
        "target_weight needs the equity of the account, which is unknown"
    )
    assert size(weight, 0.0, Money(equity=1.0)).detail == (
        "target_weight needs what a unit is worth, which is unknown"
    )


@pytest.mark.parametrize(
    ("intent", "fields", "expected", "exits"),
    [
        ("exit_long", {}, 0.0, True),
        ("exit_all", {}, 0.0, True),
        ("cancel", {}, 0.0, True),
        ("enter_short", {"reduce_only": True}, 5.0, True),
        ("enter_short", {}, 5.0, False),
        ("target", {"target_quantity": 0.0}, 5.0, True),
        ("target", {"target_quantity": 0.0}, -5.0, True),
        ("target", {"target_quantity": 4.9}, 5.0, True),
        ("target", {"target_quantity": -4.9}, -5.0, True),
        ("target", {"target_quantity": 0.25}, 0.5, True),
        ("target", {"target_quantity": -0.25}, -0.5, True),
        ("target", {"target_quantity": 5.1}, 5.0, False),
        ("target", {"target_quantity": -0.1}, 5.0, False),
        ("target", {"target_quantity": 1.0}, 0.0, False),
        ("target", {"target_quantity": float("nan")}, 5.0, False),
        ("target", {"target_weight": 0.0}, 5.0, True),
        ("target", {"target_weight": 0.0}, 0.0, False),
        ("target", {"target_weight": 0.04}, 5.0, True),
        ("target", {"target_weight": 0.05}, 5.0, False),
        ("target", {"target_weight": -0.04}, 5.0, False),
        ("target", {}, 5.0, False),
        ("adjust", {}, 5.0, True),
    ],
)
def test_what_only_takes_risk_away_counts_as_an_exit(intent, fields, expected, exits):
    assert reduces(signal(intent, **fields), expected, MONEY) is exits


def test_a_weight_of_an_unknown_equity_counts_as_an_exit_only_if_it_is_nothing():
    assert reduces(signal("target", target_weight=0.0), 5.0, Money())
    assert not reduces(signal("target", target_weight=0.01), 5.0, Money())


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_target_is_reached_by_its_order(target, expected):
    answer = size(signal("target", target_quantity=target), expected, MONEY)
    assume(isinstance(answer, Size))
    assert expected + answer.quantity == pytest.approx(target, rel=1e-9, abs=1e-3 * DUST * abs(expected))


# ---- lots -----------------------------------------------------------------------------------------
LOTS = Instrument(symbol="X", lot_size=0.1, min_quantity=0.5)


@pytest.mark.parametrize(
    ("quantity", "expected", "whole", "rounded"),
    [
        (0.7, 0.0, 0.7, False),
        (0.79, 0.0, 0.7, True),
        (-0.79, 0.0, -0.7, True),
        (0.1 + 0.2 + 0.3, 0.0, 0.6, False),  # 0.6000000000000001 is six lots, not rounded
        (0.5, 0.0, 0.5, False),
        (-13.57, 10.0, -13.5, True),
    ],
)
def test_an_entry_comes_in_whole_lots_and_never_in_more_than_was_asked_for(
    quantity, expected, whole, rounded
):
    assert in_lots(Size(quantity), expected, LOTS) == Size(whole, rounded=rounded)


@pytest.mark.parametrize(
    ("sized", "rule", "detail"),
    [
        (Size(0.09), "below_lot", "the order comes to 0.09 units, less than a lot of 0.1"),
        (
            Size(-0.09, reduce_only=True), "below_lot",
            "the order comes to 0.09 units, less than a lot of 0.1",
        ),
        (Size(0.49), "below_min_quantity", "the order comes to 0.4 units, at least 0.5"),
        (Size(-0.49), "below_min_quantity", "the order comes to 0.4 units, at least 0.5"),
    ],
)  # fmt: skip
def test_less_than_can_be_traded_is_refused(sized, rule, detail):
    assert in_lots(sized, 10.0, LOTS) == Refusal(rule, detail)


def test_the_rounding_of_large_sums_is_no_rounding_to_lots():
    asked = (0.1 + 0.2) * 1e9
    assert asked > 3e8
    assert in_lots(Size(asked), 0.0, LOTS) == Size(3e8)


def test_all_that_is_held_can_be_exited_however_odd_it_is():
    for held in (0.05, 0.123, 17.77):
        full = Size(-held, reduce_only=True)
        assert in_lots(full, held, LOTS) is full


def test_a_part_of_what_is_held_is_exited_in_lots_and_below_the_least_quantity():
    assert in_lots(Size(-0.25, reduce_only=True), 10.0, LOTS) == Size(-0.2, reduce_only=True, rounded=True)


def test_what_was_clipped_stays_said_when_it_is_rounded():
    clipped = Size(-0.25, reduce_only=True, clipped=True)
    assert in_lots(clipped, 10.0, LOTS) == Size(-0.2, reduce_only=True, clipped=True, rounded=True)


@pytest.mark.parametrize("instrument", [None, Instrument(symbol="X")])
def test_without_lots_everything_goes(instrument):
    sized = Size(0.123456)
    assert in_lots(sized, 0.0, instrument) is sized


def test_a_least_quantity_binds_without_lots_too():
    instrument = Instrument(symbol="X", min_quantity=2.0)
    assert in_lots(Size(2.0), 0.0, instrument) == Size(2.0)
    assert in_lots(Size(1.99), 0.0, instrument).rule == "below_min_quantity"


@given(st.floats(0.1, 1e9), st.sampled_from([1.0, 0.1, 0.01, 0.25, 5.0, 100.0, 1e-8]), st.booleans())
def test_rounding_never_adds_and_never_takes_a_whole_lot(quantity, lot, sells):
    asked = -quantity if sells else quantity
    answer = in_lots(Size(asked), 0.0, Instrument(symbol="X", lot_size=lot))
    given_up = quantity if isinstance(answer, Refusal) else quantity - abs(answer.quantity)
    assert -1e-9 * quantity <= given_up < lot * (1 + 1e-6) + 4e-16 * quantity  # and the doubles between
    assert isinstance(answer, Refusal) or (answer.quantity < 0) == sells
