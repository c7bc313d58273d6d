import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bus.messages import Signal
from strategies.trading.orders import DUST, Size, Unsized, combine, reduces, reducing, size


def signal(intent, **fields):
    return Signal(symbol="X", intent=intent, **fields)


@pytest.mark.parametrize(
    ("intent", "fields", "expected", "order"),
    [
        ("enter_long", {"quantity": 3.0}, 0.0, Size(3.0)),
        ("enter_short", {"quantity": 3.0}, 0.0, Size(-3.0)),
        ("enter_long", {"quantity": 3.0}, 2.0, Size(3.0)),  # adds
        ("enter_short", {"quantity": 3.0}, -2.0, Size(-3.0)),
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
        ("target", {"target_quantity": 5.0}, 0.0, Size(5.0)),
        ("target", {"target_quantity": -5.0}, 5.0, Size(-10.0)),
        ("target", {"target_quantity": 2.0}, 5.0, Size(-3.0, reduce_only=True)),
        ("target", {"target_quantity": 0.0}, -5.0, Size(5.0, reduce_only=True)),
    ],
)
def test_a_signal_becomes_a_signed_order(intent, fields, expected, order):
    assert size(signal(intent, **fields), expected, 100.0) == order


@pytest.mark.parametrize(
    ("intent", "fields", "expected", "rule"),
    [
        ("enter_long", {}, 0.0, "sizing_missing"),
        ("enter_long", {"target_quantity": 1.0}, 0.0, "sizing_missing"),
        ("target", {}, 0.0, "sizing_missing"),
        ("target", {"quantity": 1.0}, 0.0, "sizing_missing"),
        ("enter_long", {"quantity": 1.0, "notional": 5.0}, 0.0, "sizing_ambiguous"),
        ("target", {"target_weight": 0.1}, 0.0, "sizing_unsupported"),
        ("enter_long", {"risk_pct": 1.0}, 0.0, "sizing_unsupported"),
        ("exit_all", {"quantity": 1.0}, 5.0, "sizing_not_allowed"),
        ("exit_long", {"target_quantity": 1.0}, 5.0, "sizing_not_allowed"),
        ("exit_long", {}, 0.0, "no_position"),
        ("exit_long", {}, -5.0, "no_position"),
        ("exit_short", {}, 5.0, "no_position"),
        ("exit_all", {}, 0.0, "no_position"),
        ("enter_short", {"quantity": 1.0, "reduce_only": True}, 0.0, "no_position"),
        ("target", {"target_quantity": 5.0}, 5.0, "already_at_target"),
        ("target", {"target_quantity": 9.0, "reduce_only": True}, 5.0, "reduce_only"),
        ("target", {"target_quantity": -1.0, "reduce_only": True}, 5.0, "reduce_only"),
    ],
)
def test_what_gives_no_order_names_its_rule(intent, fields, expected, rule):
    answer = size(signal(intent, **fields), expected, 100.0)
    assert isinstance(answer, Unsized)
    assert answer.rule == rule


@pytest.mark.parametrize("intent", ["enter_long", "exit_long"])
def test_a_notional_without_a_price_is_refused_and_not_taken_for_zero(intent):
    answer = size(signal(intent, notional=100.0), 5.0, None)
    assert isinstance(answer, Unsized)
    assert answer.rule == "price_unknown"


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
        ("target", {"target_quantity": 5.1}, 5.0, False),
        ("target", {"target_quantity": -0.1}, 5.0, False),
        ("target", {"target_quantity": 1.0}, 0.0, False),
        ("target", {"target_quantity": float("nan")}, 5.0, False),
        ("target", {"target_weight": 0.0}, 5.0, False),
        ("adjust", {}, 5.0, False),
    ],
)
def test_what_only_takes_risk_away_counts_as_an_exit(intent, fields, expected, exits):
    assert reduces(signal(intent, **fields), expected) is exits


def test_parts_that_cancel_but_for_rounding_give_exactly_zero():
    assert (0.1 + 0.2) - 0.3 != 0.0
    assert combine(0.1 + 0.2, -0.3) == 0.0


QUANTITY = st.floats(-1e12, 1e12).filter(lambda q: abs(q) > 1e-6)


@given(QUANTITY, QUANTITY)
def test_a_sum_is_right_to_the_documented_dust(held, change):
    assert abs(combine(held, change) - (held + change)) <= DUST * max(abs(held), abs(change))


@given(QUANTITY, QUANTITY)
def test_a_reducing_order_never_takes_a_position_away_from_zero_or_through_it(held, quantity):
    result = held + reducing(quantity, held)
    assert 0 <= result * held <= held * held


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_target_is_reached_by_its_order(target, expected):
    answer = size(signal("target", target_quantity=target), expected, 1.0)
    assume(isinstance(answer, Size))
    assert expected + answer.quantity == pytest.approx(target, rel=1e-9, abs=1e-3 * DUST * abs(expected))
