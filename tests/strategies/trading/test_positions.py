"""One position: average cost, profit, round trips, marks."""

from math import inf, nan

import pytest
from msgspec.structs import replace

from bus.messages import Position
from strategies.trading.positions import after, gain, marked, same_side, unrealised, value

EMPTY = Position("d", "X")


def run(*trades, position=EMPTY, **terms):
    for quantity, price in trades:
        position = after(position, quantity, price, **terms)
    return position


def test_the_first_fill_opens_at_its_price():
    assert Position("d", "X", 2.0, 100.0) == run((2.0, 100.0))
    assert Position("d", "X", -2.0, 100.0) == run((-2.0, 100.0))


def test_adding_averages_the_cost():
    assert Position("d", "X", 4.0, 115.0) == run((1.0, 100.0), (3.0, 120.0))
    assert Position("d", "X", -4.0, 115.0) == run((-1.0, 100.0), (-3.0, 120.0))


def test_adding_at_the_average_leaves_it_exactly_as_it_was():
    assert 0.1 == run((0.1, 0.1), (0.7, 0.1), (1e5, 0.1)).average_price


def test_reducing_realises_against_the_average_and_keeps_it():
    assert Position("d", "X", 3.0, 100.0, realised=10.0, trip=10.0) == run((4.0, 100.0), (-1.0, 110.0))


def test_closing_a_short_realises_the_fall():
    assert Position("d", "X", 0.0, 0.0, realised=20.0) == run((-2.0, 100.0), (2.0, 90.0))


@pytest.mark.parametrize(("side", "profit"), [(1.0, 20.0), (-1.0, -20.0)])
def test_a_flip_through_zero_realises_the_old_side_and_opens_the_new_at_the_fill(side, profit):
    flipped = run((2.0 * side, 100.0), (-5.0 * side, 110.0))
    assert Position("d", "X", -3.0 * side, 110.0, realised=profit) == flipped


def test_fills_that_cancel_but_for_rounding_leave_exactly_nothing():
    position = run((0.1, 100.0), (0.2, 100.0), (-0.3, 100.0))
    assert (0.0, 0.0) == (position.quantity, position.average_price)


def test_a_fee_is_lost_when_it_is_paid():
    position = after(EMPTY, 1.0, 100.0, fee=2.5)
    assert (-2.5, 2.5, -2.5) == (position.realised, position.fees, position.trip)
    position = after(position, 1.0, 100.0, fee=1.0)
    assert (-3.5, 3.5, -3.5) == (position.realised, position.fees, position.trip)


def test_a_rebate_is_a_fee_below_zero():
    position = after(EMPTY, 1.0, 100.0, fee=-0.25)
    assert (0.25, -0.25) == (position.realised, position.fees)


def test_a_round_trip_counts_from_flat_to_flat_fees_included():
    opened = after(EMPTY, 4.0, 100.0, fee=1.0)
    reduced = after(opened, -1.0, 110.0, fee=1.0)
    closed = after(reduced, -3.0, 120.0, fee=1.0)
    again = after(closed, 1.0, 50.0, fee=2.0)
    assert [-1.0, 8.0, 0.0, -2.0] == [one.trip for one in (opened, reduced, closed, again)]
    assert [-1.0, 8.0, 67.0, 65.0] == [one.realised for one in (opened, reduced, closed, again)]


def test_the_fee_of_a_fill_through_zero_belongs_to_the_trip_that_it_ends():
    flipped = after(after(EMPTY, 2.0, 100.0), -5.0, 110.0, fee=3.0)
    assert (17.0, 0.0) == (flipped.realised, flipped.trip)


def test_a_multiplier_multiplies_profit_and_nothing_else():
    held = run((2.0, 100.0), (-1.0, 103.0), multiplier=50.0)
    assert Position("d", "X", 1.0, 100.0, realised=150.0, trip=150.0, multiplier=50.0) == held
    assert 100.0 == unrealised(held, 102.0)
    assert 149.0 == after(replace(held, realised=0.0, trip=0.0), -1.0, 103.0, 1.0, 50.0).realised


def test_what_is_held_keeps_its_multiplier_until_it_is_flat():
    held = run((2.0, 100.0), multiplier=50.0)
    assert 50.0 == run((1.0, 100.0), position=held, multiplier=7.0).multiplier
    assert 50.0 == run((-5.0, 100.0), position=held, multiplier=7.0).multiplier
    assert 7.0 == run((-2.0, 100.0), (1.0, 100.0), position=held, multiplier=7.0).multiplier


def test_a_gain_is_of_what_is_closed_and_of_no_more():
    long, short = Position("d", "X", 2.0, 100.0), Position("d", "X", -2.0, 100.0, multiplier=10.0)
    assert [0.0, 5.0, 10.0, 10.0] == [gain(long, quantity, 105.0) for quantity in (1.0, -1.0, -2.0, -9.0)]
    assert [0.0, -50.0, -100.0, -100.0] == [gain(short, each, 105.0) for each in (-1.0, 1.0, 2.0, 9.0)]
    assert 0.0 == gain(EMPTY, -1.0, 105.0)


def test_prices_may_be_zero_and_below():
    """Oil did it on 20 April 2020."""
    held = run((1.0, 10.0), (1.0, -30.0))
    assert -10.0 == held.average_price
    assert -27.63 == pytest.approx(after(held, -1.0, -37.63).realised)
    assert 20.0 == unrealised(held, 0.0)


@pytest.mark.parametrize("price", [None, nan, inf, -inf])
def test_an_unknown_price_leaves_the_profit_unknown_but_not_of_nothing(price):
    assert marked(run((1.0, 100.0)), price).unrealised is None
    assert 0.0 == marked(EMPTY, price).unrealised


def test_a_mark_is_the_profit_of_what_is_held():
    assert 20.0 == marked(run((-2.0, 100.0)), 90.0).unrealised
    assert 20.0 == marked(run((2.0, 100.0)), 110.0).unrealised


def test_a_fill_leaves_the_mark_unknown():
    assert after(marked(run((1.0, 100.0)), 101.0), 1.0, 100.0).unrealised is None


def test_what_is_held_is_worth_its_price_times_its_multiplier():
    assert -2020.0 == value(Position("d", "X", -2.0, 100.0, multiplier=10.0), 101.0)
    assert -20.0 == value(Position("d", "X", 2.0), -10.0)
    assert [None] * 3 == [value(Position("d", "X", 2.0), price) for price in (None, nan, inf)]
    assert [0.0] * 2 == [value(EMPTY, price) for price in (None, 7.0)]


def test_zero_is_on_no_side():
    assert [True, True] == [same_side(*pair) for pair in ((1.0, 2.0), (-1.0, -2.0))]
    unlike = ((1.0, -2.0), (-1.0, 2.0), (0.0, 1.0), (0.0, -1.0), (1.0, 0.0), (-1.0, 0.0), (0.0, 0.0))
    assert [False] * 7 == [same_side(*pair) for pair in unlike]
