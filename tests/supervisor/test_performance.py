"""What fills add up to: against cash counted by hand, over any fills that the books take."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Fill, Position
from strategies.trading.books import Books
from strategies.trading.records import Executed
from supervisor.performance import Curve, Point, curve, deepest, figures, sums, thin

MULTIPLIERS = {"A": 1.0, "B": 50.0}


def executions(trades: list[tuple[str, float, float, float]], currency: str = "USD") -> list[Executed]:
    """Enter (symbol, quantity, price, fee) into real books, and return the records of that."""
    books, records = Books(), []
    for seq, (symbol, quantity, price, fee) in enumerate(trades, 1):
        fill = Fill(f"f{seq}", "s", "one", "", symbol, quantity, price, fee, seq * 10, currency=currency)
        entry = books.entry(fill, seq, MULTIPLIERS.get(symbol, 1.0))
        books.post(entry.position, entry.lots, seq, price)
        records.append(
            Executed(
                seq=seq, at=seq, order_id="o", order_seq=1, fill=fill, position=entry.position,
                closed=entry.closed,
            )
        )  # fmt: skip
    return records


quantities = st.integers(-20, 20).filter(bool).map(float)
trade = st.tuples(
    st.sampled_from(["A", "B"]),
    quantities,
    st.integers(1, 400).map(lambda n: n / 4),
    st.sampled_from([0, 0.5]),
)
trades = st.lists(trade, max_size=60)
profits = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=200)


def points(values: list[float]) -> list[Point]:
    return [Point(number, value) for number, value in enumerate(values, 1)]


@given(trades)
def test_the_last_point_is_cash_and_what_is_held_at_its_last_price(made):
    found = curve(executions(made))
    assert len(made) == found.fills == len(found.points)
    cash, held, last = 0.0, {"A": 0.0, "B": 0.0}, {"A": 0.0, "B": 0.0}
    for point, (symbol, quantity, price, fee) in zip(found.points, made, strict=True):
        cash -= quantity * price * MULTIPLIERS[symbol] + fee
        held[symbol] += quantity
        last[symbol] = price
        worth = sum(held[name] * last[name] * MULTIPLIERS[name] for name in held)
        assert math.isclose(cash + worth, point.profit, rel_tol=1e-9, abs_tol=1e-4)


@given(trades)
def test_round_trips_and_what_goes_on_are_all_that_was_realised(made):
    records = executions(made)
    found, last = curve(records), {one.position.symbol: one.position for one in records}
    realised = sum(one.realised for one in last.values())
    going_on = sum(one.trip for one in last.values())
    assert math.isclose(realised, sum(found.trips) + going_on, rel_tol=1e-9, abs_tol=1e-4)
    assert found.whole


@given(trades, st.integers(1, 30))
def test_where_the_first_fills_are_gone_it_says_so_unless_all_was_flat(made, gone):
    records = executions(made)
    kept = records[gone:]
    flat = {one.position.symbol: one.position.quantity == 0 for one in records[:gone]}
    found = curve(kept)
    assert all(flat.get(one.fill.symbol, True) for one in kept) == found.whole
    if found.whole and kept:
        whole = curve(records)
        assert whole.trips[len(whole.trips) - len(found.trips) :] == found.trips


@given(profits, st.none() | st.floats(1e5, 1e7))
def test_the_deepest_fall_is_that_of_the_worst_pair_of_moments(values, capital):
    fall, share = deepest(points(values), capital)
    curve_ = [0.0, *values]
    pairs = [(top, low) for at, top in enumerate(curve_) for low in curve_[at:]]
    assert max(top - low for top, low in pairs) == fall
    if capital is None:
        assert share is None
    else:
        assert math.isclose(
            max(100 * (top - low) / (capital + top) for top, low in pairs), share, abs_tol=1e-12
        )


@given(profits, st.integers(4, 40))
def test_a_thinned_curve_is_part_of_the_curve_with_its_ends_and_extremes(values, most):
    whole = points(values)
    kept = thin(whole, most)
    assert len(kept) <= most
    assert [one for one in whole if one in kept] == kept
    assert (whole[0], whole[-1]) == (kept[0], kept[-1])
    for pick in (min, max):
        assert pick(values) == pick(point.profit for point in kept)


def test_fewer_points_than_a_stretch_needs_are_a_mistake():
    with pytest.raises(ValueError, match="at least 4"):
        thin([], 3)


def test_the_figures_of_a_curve_by_hand():
    # Won 10 and 30, lost 20, broke even once; the fees are in the trips.
    made = [("A", 1, 10, 0), ("A", -1, 20, 0), ("A", 1, 20, 0), ("A", -1, 0.25, 0.25)]
    made += [("A", -2, 20, 0), ("A", 2, 5, 0), ("A", 1, 7, 0), ("A", -1, 7, 0)]
    found = curve(executions(made))
    assert [10.0, -20.0, 30.0, 0.0] == list(found.trips)
    got = figures(found, 100.0)
    assert (2, 1, 0.5, 2.0) == (got.wins, got.losses, got.win_rate, got.profit_factor)
    assert (20.0, -20.0, 30.0, -20.0) == (got.average_win, got.average_loss, got.best, got.worst)
    assert (20.0, 100 * 20 / 110) == (got.max_drawdown, got.max_drawdown_percent)
    assert (10, 80) == (found.since, found.until)


def test_what_is_unknown_is_none_and_not_zero():
    nothing = figures(curve([]), 100.0)
    assert [nothing.win_rate, nothing.profit_factor, nothing.best, nothing.max_drawdown] == [None] * 4
    only_won = figures(curve(executions([("A", 1, 10, 0), ("A", -1, 20, 0)])), None)
    assert (1.0, None) == (only_won.win_rate, only_won.profit_factor), "nothing lost: the factor has no value"
    assert (0.0, None) == (only_won.max_drawdown, only_won.max_drawdown_percent)


def test_money_of_several_currencies_is_never_added_up():
    both = executions([("A", 1, 10, 0), ("A", -1, 20, 0)]) + executions([("B", 1, 5, 0)], currency="EUR")
    found = curve(both)
    assert (None, (), 3) == (found.currency, found.points, found.fills)
    got = figures(found, 100.0)
    assert (1.0, None, None) == (got.win_rate, got.best, got.max_drawdown)


def test_a_fill_told_late_does_not_turn_the_curve_back_in_time():
    first, second = executions([("A", 1, 10, 0), ("A", -1, 20, 0)])
    late = [second, first]
    assert sorted(point.at for point in curve(late).points) == [point.at for point in curve(late).points]


def position(symbol: str, **more: Any) -> Position:
    return Position(deployment_id="one", symbol=symbol, **more)


def test_sums_of_positions_are_none_where_a_price_or_a_single_currency_is_missing():
    held = position("A", quantity=1.0, realised=3.0, fees=1.0, currency="USD")
    flat = position("B", realised=4.0, unrealised=None, currency="USD")
    assert ("USD", 7.0, None, 1.0) == sums([held, flat])
    assert ("USD", 4.0, 0.0, 0.0) == sums([flat])
    assert (None, None, None, None) == sums([flat, position("C", currency="EUR")])
    assert (None, 0.0, 0.0, 0.0) == sums([])


def test_a_curve_without_capital_has_no_percent_and_one_of_nothing_no_fall():
    assert (None, None) == deepest([], 100.0)
    assert (0.0, None) == deepest(points([1.0]), None)
    assert Curve().whole
