import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Level, Signal, Trail
from strategies.trading.brackets import asked, tightest, unheld, within_target
from strategies.trading.instruments import Instrument
from strategies.trading.levels import Protection, activation, distance, stop_price, trail_price

UNITS = {"tick_size": 0.5, "atr": 2.0}


def want(**fields):
    return Protection(**(UNITS | fields))


def pct(value):
    return Level("pct", value)


# ---- what a signal asks for -----------------------------------------------------------------------
def test_a_signal_brings_its_levels_with_their_units():
    signal = Signal(
        symbol="X", intent="enter_long", stop_loss=pct(2.0), take_profit=Level("atr", 3.0),
        trailing_stop=Trail("ticks", 4.0), time_stop_s=60.0, indicators={"atr": 2.0},
    )  # fmt: skip
    assert asked(signal, Instrument(symbol="X", tick_size=0.5)) == Protection(
        stop_loss=pct(2.0),
        take_profit=Level("atr", 3.0),
        trailing_stop=Trail("ticks", 4.0),
        time_stop_s=60.0,
        atr=2.0,
        tick_size=0.5,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stop_loss", pct(1.0)),
        ("take_profit", pct(1.0)),
        ("trailing_stop", Trail("pct", 1.0)),
        ("time_stop_s", 1.0),
    ],
)
def test_each_of_them_is_something_to_ask_for(name, value):
    assert asked(Signal(symbol="X", intent="adjust", **{name: value}), None) == Protection(**{name: value})


def test_a_signal_without_any_asks_for_nothing():
    assert asked(Signal(symbol="X", intent="enter_long", indicators={"atr": 2.0}), None) is None


# ---- what cannot be held --------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("protect", "side", "rule"),
    [
        (want(stop_loss=Level("price", 99.0)), 1, None),
        (want(stop_loss=Level("price", 100.0)), 1, "stop_side"),
        (want(stop_loss=Level("price", 101.0)), 1, "stop_side"),
        (want(stop_loss=Level("price", 101.0)), -1, None),
        (want(stop_loss=Level("price", 100.0)), -1, "stop_side"),
        (want(stop_loss=pct(99.0)), 1, None),
        (want(stop_loss=pct(100.0)), 1, "stop_side"),
        (want(stop_loss=pct(100.0)), -1, None),
        (want(take_profit=Level("price", 101.0)), 1, None),
        (want(take_profit=Level("price", 100.0)), 1, "target_side"),
        (want(take_profit=Level("price", 99.0)), -1, None),
        (want(take_profit=Level("price", 100.0)), -1, "target_side"),
        (want(take_profit=pct(100.0)), -1, "target_side"),
        (want(trailing_stop=Trail("price", 99.0)), 1, None),
        (want(trailing_stop=Trail("price", 100.0)), 1, "stop_side"),
        (want(trailing_stop=Trail("price", 100.0)), -1, None),
        (want(trailing_stop=Trail("pct", 100.0)), 1, "stop_side"),
        (want(time_stop_s=60.0), 1, None),
        (want(time_stop_s=math.nan), 1, "protective_unknown"),
        (want(trailing_stop=Trail("pct", 1.0, math.nan)), 1, "protective_unknown"),
        (want(trailing_stop=Trail("price", 1.0, 500.0)), 1, None),
        (Protection(stop_loss=Level("ticks", 1.0)), 1, "protective_unknown"),
        (Protection(take_profit=Level("atr", 1.0)), 1, "protective_unknown"),
        (Protection(trailing_stop=Trail("atr", 1.0), atr=math.nan), 1, "protective_unknown"),
    ],
)
def test_a_bracket_stands_on_its_sides_of_the_entry(protect, side, rule):
    refusal = unheld(protect, side, 100.0)
    assert (None if refusal is None else refusal.rule) == rule


@pytest.mark.parametrize(
    ("protect", "side", "detail"),
    [
        (want(stop_loss=Level("price", 101.0)), 1, "the stop at 101 is not below the entry at 100"),
        (want(stop_loss=Level("price", 99.0)), -1, "the stop at 99 is not above the entry at 100"),
        (want(stop_loss=pct(100.0)), 1, "stop_loss 100 pct is at no price there can be"),
        (want(take_profit=Level("price", 99.0)), 1, "the target at 99 is not above the entry at 100"),
        (want(take_profit=Level("price", 101.0)), -1, "the target at 101 is not below the entry at 100"),
        (want(take_profit=pct(100.0)), -1, "take_profit 100 pct is at no price there can be"),
        (want(trailing_stop=Trail("pct", 100.0)), 1, "trailing_stop 100 pct is at no price there can be"),
    ],
)
def test_a_refusal_says_where_it_would_stand(protect, side, detail):
    assert unheld(protect, side, 100.0).detail == detail


# ---- the tighter of both --------------------------------------------------------------------------
def test_nothing_and_nothing_is_nothing():
    assert tightest(None, (None, None), 100.0) is None


def test_what_one_alone_wants_is_taken_as_it_is():
    wanted, limit = want(stop_loss=pct(2.0)), Protection(widest_stop=3.0)
    assert tightest(wanted, (None, None), 100.0) is wanted
    assert tightest(None, (None, limit), 100.0) == limit


def test_a_square_off_is_added_to_whatever_there_is():
    assert tightest(None, (None,), 100.0, 5) == Protection(square_off_at=5)
    assert tightest(want(stop_loss=pct(2.0)), (), 100.0, 5) == want(stop_loss=pct(2.0), square_off_at=5)


def test_the_configured_stop_goes_along_and_the_signals_own_stays():
    wanted, limit = want(stop_loss=Level("price", 90.0)), Protection(widest_stop=3.0)
    merged = tightest(wanted, (limit, Protection(widest_stop=2.0)), 100.0)
    assert merged == want(stop_loss=Level("price", 90.0), widest_stop=2.0)
    assert stop_price(merged, 1, 100.0) == 98.0


@pytest.mark.parametrize(
    ("one", "taken"),
    [
        (pct(3.9), pct(3.9)),
        (pct(4.0), pct(4.0)),
        (pct(4.1), pct(4.0)),
        (Level("price", 103.9), Level("price", 103.9)),
        (Level("price", 104.1), pct(4.0)),
        (Level("price", 96.1), Level("price", 96.1)),  # of a short position
        (Level("ticks", 7.0), Level("ticks", 7.0)),
        (Level("ticks", 9.0), pct(4.0)),
        (Level("atr", 1.9), Level("atr", 1.9)),
        (Level("atr", 2.1), pct(4.0)),
        (None, pct(4.0)),
    ],
)
def test_the_nearer_target_is_taken(one, taken):
    limit = Protection(take_profit=pct(4.0))
    assert tightest(want(take_profit=one), (limit,), 100.0) == want(take_profit=taken)


@pytest.mark.parametrize(("price", "taken"), [(208.0, Level("price", 208.0)), (208.1, pct(4.0))])
def test_percent_of_a_target_is_of_the_entry_and_of_two_alike_the_signals_own_is_taken(price, taken):
    limit = Protection(take_profit=pct(4.0))
    assert tightest(want(take_profit=Level("price", price)), (limit,), 200.0).take_profit == taken


def test_of_two_configured_targets_the_nearer_is_taken():
    near, far = Protection(take_profit=pct(2.0)), Protection(take_profit=pct(4.0))
    for limits in ((near, far), (far, near)):
        assert tightest(want(take_profit=pct(3.0)), limits, 200.0).take_profit == pct(2.0)


def test_the_nearest_target_is_found_among_several_that_are_configured():
    own = want(take_profit=pct(9.0))
    limits = tuple(Protection(take_profit=pct(percent)) for percent in (3.0, 2.99))
    assert tightest(own, limits, 200.0).take_profit == pct(2.99)
    assert tightest(own, limits[::-1], 200.0).take_profit == pct(2.99)


@pytest.mark.parametrize("name", ["widest_stop", "widest_trail", "time_stop_s"])
def test_of_two_that_are_configured_the_tighter_counts_in_any_order(name):
    near, far, none = Protection(**{name: 2.0}), Protection(**{name: 3.0}), Protection(square_off_at=1)
    for limits in ((near, far), (far, near), (near, none), (none, near)):
        assert getattr(tightest(None, limits, 100.0), name) == 2.0


def test_a_target_that_only_the_signal_has_is_kept():
    target = want(take_profit=pct(9.0))
    assert tightest(target, (Protection(widest_stop=1.0),), 100.0).take_profit == pct(9.0)


@pytest.mark.parametrize(
    ("one", "other", "taken"),
    [
        (Trail("pct", 1.0), Trail("pct", 2.0), Trail("pct", 1.0)),
        (Trail("pct", 3.0), Trail("pct", 2.0), Trail("pct", 3.0)),
        (Trail("pct", 2.0, 5.0), Trail("pct", 2.0), Trail("pct", 2.0)),
        (Trail("pct", 1.0), Trail("pct", 2.0, 5.0), Trail("pct", 1.0)),
        (Trail("pct", 1.0, 3.0), Trail("pct", 2.0, 5.0), Trail("pct", 1.0, 3.0)),
        (Trail("pct", 1.0, 5.0), Trail("pct", 2.0, 3.0), Trail("pct", 1.0, 3.0)),
        (Trail("pct", 3.0, 1.0), Trail("pct", 2.0, 3.0), Trail("pct", 3.0, 1.0)),
        (Trail("price", 1.5, 4.0), Trail("pct", 2.0, 3.0), Trail("price", 1.5, 3.0)),
        (Trail("ticks", 3.0, 10.0), Trail("pct", 2.0, 3.0), Trail("ticks", 3.0, 6.0)),
        (Trail("atr", 0.5, 2.0), Trail("pct", 2.0, 3.0), Trail("atr", 0.5, 1.5)),
        (Trail("ticks", 5.0, 4.0), Trail("pct", 2.0, 3.0), Trail("ticks", 5.0, 4.0)),
        (None, Trail("pct", 2.0, 3.0), Trail("pct", 2.0, 3.0)),
    ],
)
def test_a_trail_is_armed_as_early_as_the_earlier_and_the_configured_width_goes_along(one, other, taken):
    limit = Protection(trailing_stop=other, widest_trail=other.value)
    merged = tightest(want(trailing_stop=one), (limit,), 100.0)
    assert merged == want(trailing_stop=taken, widest_trail=other.value)


def test_of_two_that_are_configured_the_nearer_width_and_the_earlier_move_count():
    own = Protection(trailing_stop=Trail("pct", 2.0, 5.0), widest_trail=2.0)
    account = Protection(trailing_stop=Trail("pct", 3.0, 1.0), widest_trail=3.0)
    for limits in ((own, account), (account, own)):
        assert tightest(None, limits, 100.0) == Protection(
            trailing_stop=Trail("pct", 2.0, 1.0), widest_trail=2.0
        )
    at_once = Protection(trailing_stop=Trail("pct", 3.0), widest_trail=3.0)
    assert tightest(None, (own, at_once), 100.0).trailing_stop == Trail("pct", 2.0)


def test_a_trail_that_only_the_signal_has_is_kept():
    trail = want(trailing_stop=Trail("pct", 9.0))
    assert tightest(trail, (Protection(widest_stop=1.0),), 100.0).trailing_stop == Trail("pct", 9.0)


@pytest.mark.parametrize(
    ("one", "other", "taken"), [(5.0, 9.0, 5.0), (9.0, 5.0, 5.0), (None, 5.0, 5.0), (5.0, None, 5.0)]
)
def test_the_shorter_time_is_taken(one, other, taken):
    merged = tightest(want(time_stop_s=one), (Protection(time_stop_s=other, widest_stop=1.0),), 100.0)
    assert merged == want(time_stop_s=taken, widest_stop=1.0)


LEVEL = st.none() | st.builds(Level, st.sampled_from(["pct", "ticks", "atr"]), st.floats(0.1, 50))
TRAIL = st.none() | st.builds(
    Trail,
    st.sampled_from(["pct", "ticks", "atr", "price"]),
    st.floats(0.1, 50),
    st.none() | st.floats(0.1, 50),
)
PCT_TRAIL = st.none() | st.builds(Trail, st.just("pct"), st.floats(0.1, 50), st.none() | st.floats(0.1, 50))
LIMIT = st.none() | st.builds(
    lambda trail, **fields: Protection(
        trailing_stop=trail, widest_trail=None if trail is None else trail.value, **fields
    ),
    trail=PCT_TRAIL,
    take_profit=st.none() | st.builds(Level, st.just("pct"), st.floats(0.1, 50)),
    time_stop_s=st.none() | st.floats(1, 1e5),
    widest_stop=st.none() | st.floats(0.1, 50),
)


def target_away(protect):
    level = protect.take_profit
    return math.inf if level is None else distance(level.kind, level.value, protect, 100.0)


def arms_away(protect):
    trail = protect.trailing_stop
    return math.inf if trail is None else activation(trail, protect, 100.0)


@given(LEVEL, LEVEL, TRAIL, st.none() | st.floats(1, 1e5), st.tuples(LIMIT, LIMIT))
def test_no_configured_exit_is_loosened_by_asking_for_another(stop, target, trail, seconds, limits):
    wanted = want(stop_loss=stop, take_profit=target, trailing_stop=trail, time_stop_s=seconds)
    merged = tightest(wanted, limits, 100.0)
    for each in (wanted, *limits):
        if each is None:
            continue
        assert target_away(merged) <= target_away(each) * (1 + 1e-9)
        assert arms_away(merged) <= max(0.0, arms_away(each)) * (1 + 1e-9)
        assert (merged.time_stop_s or math.inf) <= (each.time_stop_s or math.inf)
        for side in (1, -1):
            wide, held = stop_price(each, side, 100.0), stop_price(merged, side, 100.0)
            assert wide is None or (held is not None and side * (held - wide) >= 0)
            for best in (50.0, 100.0, 300.0):
                trails, kept = trail_price(each, side, best), trail_price(merged, side, best)
                assert trails is None or (kept is not None and side * (kept - trails) >= 0)


# ---- adjusts --------------------------------------------------------------------------------------
@pytest.mark.parametrize(("value", "taken"), [(3.0, pct(3.0)), (5.0, pct(4.0))])
def test_an_adjusted_target_stays_within_the_configured_one(value, taken):
    limits = (None, Protection(take_profit=pct(4.0), trailing_stop=Trail("pct", 1.0), time_stop_s=1.0))
    assert within_target(want(take_profit=pct(value)), limits, 100.0) == want(take_profit=taken)


def test_an_adjust_without_a_target_asks_for_no_other():
    wanted = want(stop_loss=pct(1.0))
    assert within_target(wanted, (Protection(take_profit=pct(4.0)),), 100.0) is wanted
