import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Level, Trail
from strategies.trading.levels import (
    Protection,
    activates,
    better,
    distance,
    exact,
    known,
    problem,
    reachable,
    stop_price,
    target_price,
    tighter,
    trail_price,
)


@pytest.mark.parametrize(
    ("level", "stop_of_a_long", "stop_of_a_short", "units"),
    [
        (Level("price", 95.5), 95.5, 95.5, {}),
        (Level("pct", 2.0), 98.0, 102.0, {}),
        (Level("ticks", 8.0), 98.0, 102.0, {"tick_size": 0.25}),
        (Level("atr", 1.5), 97.0, 103.0, {"atr": 2.0}),
    ],
)
def test_a_level_is_a_price_or_a_distance_from_the_entry(level, stop_of_a_long, stop_of_a_short, units):
    stop = Protection(stop_loss=level, **units)
    assert stop_of_a_long == stop_price(stop, 1, 100.0)
    assert stop_of_a_short == stop_price(stop, -1, 100.0)
    target = Protection(take_profit=level, **units)
    assert stop_of_a_short == target_price(target, 1, 100.0)
    assert stop_of_a_long == target_price(target, -1, 100.0)


def test_nothing_asked_for_stands_nowhere():
    nothing = Protection()
    assert (None, None, None) == (
        stop_price(nothing, 1, 100.0), target_price(nothing, 1, 100.0), trail_price(nothing, 1, 100.0)
    )  # fmt: skip
    assert not activates(nothing, 1, 100.0, 1e9)
    assert not nothing.asks
    assert not Protection(atr=1.0, tick_size=0.1, widest_trail=1.0).asks
    assert Protection(square_off_at=1).asks
    assert Protection(widest_stop=1.0).asks


@pytest.mark.parametrize(("side", "stands"), [(1, 98.0), (-1, 102.0)])
def test_the_configured_stop_is_the_widest_that_there_is(side, stands):
    for level in (None, Level("pct", 3.0), Level("price", 100.0 - 5 * side)):
        assert stands == stop_price(Protection(stop_loss=level, widest_stop=2.0), side, 100.0)
    closer = 100.0 - side
    assert closer == stop_price(Protection(stop_loss=Level("pct", 1.0), widest_stop=2.0), side, 100.0)


@pytest.mark.parametrize(("side", "peak", "stands"), [(1, 200.0, 196.0), (-1, 50.0, 51.0)])
def test_the_configured_trail_is_the_widest_that_there_is(side, peak, stands):
    # A trail of 5 is 5 % at 100, and 10 % once a short is at 50.
    protect = Protection(trailing_stop=Trail("price", 5.0), widest_trail=2.0)
    assert stands == trail_price(protect, side, peak)
    assert peak - side * 0.5 == trail_price(
        Protection(trailing_stop=Trail("price", 0.5), widest_trail=2.0), side, peak
    )
    assert trail_price(Protection(widest_trail=2.0), side, peak) is None


def test_what_no_price_reaches_is_no_level():
    assert stop_price(Protection(stop_loss=Level("pct", 100.0)), 1, 50.0) is None
    assert target_price(Protection(take_profit=Level("pct", 130.0)), -1, 50.0) is None
    assert trail_price(Protection(trailing_stop=Trail("price", 60.0)), 1, 50.0) is None
    assert stop_price(Protection(stop_loss=Level("pct", 100.0), widest_stop=10.0), 1, 50.0) == 45.0
    assert reachable(2e15) is None
    assert reachable(1e15) == 1e15


def test_percent_of_a_trailing_stop_is_of_the_best_price():
    protect = Protection(trailing_stop=Trail("pct", 10.0))
    assert trail_price(protect, 1, 200.0) == 180.0
    assert trail_price(protect, -1, 50.0) == 55.0


@pytest.mark.parametrize(
    ("kind", "units", "away"),
    [("pct", {}, 3.0), ("price", {}, 3.0), ("ticks", {"tick_size": 0.5}, 1.5), ("atr", {"atr": 2.0}, 6.0)],
)
def test_a_trailing_stop_arms_at_its_distance_from_the_entry(kind, units, away):
    protect = Protection(trailing_stop=Trail(kind, 1.0, 3.0), **units)
    for side in (1, -1):
        assert activates(protect, side, 100.0, 100.0 + side * away)
        assert not activates(protect, side, 100.0, 100.0 + side * (away - 1e-6))


def test_without_an_activation_a_trailing_stop_arms_at_any_price():
    protect = Protection(trailing_stop=Trail("pct", 1.0))
    assert activates(protect, 1, 100.0, 1e-9)
    assert activates(protect, -1, 100.0, 1e9)


@pytest.mark.parametrize("unknown", [None, math.nan, 0.0, -1.0, math.inf])
@pytest.mark.parametrize("kind", ["ticks", "atr"])
def test_a_unit_that_is_unknown_is_refused_and_would_close_at_once(kind, unknown):
    units = {"ticks": "tick_size", "atr": "atr"}[kind]
    protect = Protection(stop_loss=Level(kind, 2.0), **{units: unknown})
    assert kind.upper() in problem(protect).upper()
    assert problem(protect).startswith("stop_loss")
    assert stop_price(protect, 1, 100.0) == 100.0
    trail = Protection(trailing_stop=Trail(kind, 2.0, 5.0), **{units: unknown})
    assert problem(trail).startswith("trailing_stop")
    assert trail_price(trail, 1, 100.0) == 100.0
    assert activates(trail, 1, 100.0, 100.0)


@pytest.mark.parametrize("number", [math.nan, math.inf, 0.0, -3.0])
def test_a_number_that_is_none_is_refused_and_would_close_at_once(number):
    for protect in (
        Protection(stop_loss=Level("pct", number)),
        Protection(stop_loss=Level("price", number)),
        Protection(widest_stop=number),
    ):
        assert repr(number) in problem(protect)
        assert stop_price(protect, 1, 100.0) == 100.0
    assert problem(Protection(widest_trail=number))
    assert problem(Protection(time_stop_s=number))
    assert problem(Protection(trailing_stop=Trail("pct", 1.0, number)))
    assert problem(Protection(take_profit=Level("price", number)))


def test_what_can_be_held_is_no_problem():
    assert not problem(Protection())
    assert not problem(
        Protection(
            stop_loss=Level("ticks", 5.0),
            take_profit=Level("atr", 2.0),
            trailing_stop=Trail("pct", 1.0, 0.5),
            time_stop_s=60.0,
            widest_stop=5.0,
            atr=0.1,
            tick_size=0.01,
        )
    )


@pytest.mark.parametrize(
    ("entry", "ticks", "tick_size", "stands"),
    [(100.0, 3.0, 0.1, 99.7), (1.1, 2.0, 0.1, 0.9), (4.35, 3.0, 0.05, 4.2), (110.0, 3.0, 1 / 32, 109.90625)],
)
def test_a_level_is_the_double_that_a_feed_would_send(entry, ticks, tick_size, stands):
    # 1.1 - 0.2 is 0.9000000000000001: a short closed at the target of 0.9 would miss a touch.
    assert stands == stop_price(Protection(stop_loss=Level("ticks", ticks), tick_size=tick_size), 1, entry)


@given(st.floats(1e-9, 1e14))
def test_rounding_a_price_moves_it_by_noise_only_and_once(price):
    assert abs(exact(price) - price) <= 5e-14 * price
    assert exact(exact(price)) == exact(price)


@given(st.floats(1e-9, 1e14), st.floats(1e-9, 1e14))
def test_rounding_keeps_the_order_of_prices(one, other):
    assert (one <= other) <= (exact(one) <= exact(other))


def test_the_tighter_stop_closes_first():
    assert tighter(1, 95.0, 97.0) == 97.0
    assert tighter(-1, 105.0, 103.0) == 103.0
    assert tighter(1, None, 97.0) == 97.0
    assert tighter(1, 97.0, None) == 97.0
    assert tighter(1, None, None) is None


def test_better_is_more_profit():
    assert better(1, 101.0, 100.0)
    assert not better(1, 100.0, 100.0)
    assert better(-1, 99.0, 100.0)
    assert not better(-1, 100.0, 100.0)


def test_a_distance_knows_its_units():
    protect = Protection(atr=2.0, tick_size=0.25)
    assert [1.5, 3.0, 0.375, 1.5] == [
        distance(kind, 1.5, protect, 100.0) for kind in ("pct", "atr", "ticks", "price")
    ]
    assert not known(None)
    assert not known(math.nan)
    assert known(1e15)
    assert not known(1.1e15)


def test_a_protection_of_an_older_version_is_read():
    protect = Protection(stop_loss=Level("pct", 2.0), tick_size=0.5)
    older = msgspec.msgpack.decode(msgspec.msgpack.encode(protect))[:7]
    assert protect == msgspec.convert(older, Protection)
