import math

import pytest
from msgspec.structs import replace

from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, Level, Trail
from strategies.trading.protection import followed
from strategies.trading.watch import counts, due, exit_price, watch, watch_bar
from tests.strategies.trading.protection_world import SECOND, T0, candle, guard, tick

BOTH = {"stop_loss": Level("price", 95.0), "take_profit": Level("price", 110.0)}
MINUTE = 60 * SECOND


# ---- which price ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seen", "of_a_long", "of_a_short"),
    [
        (tick(bid=99.0, ask=101.0, last=100.0), 99.0, 101.0),
        (tick(last=100.0), 100.0, 100.0),
        (tick(bid=99.0), 99.0, None),
        (tick(ask=101.0), None, 101.0),
        (tick(bid=99.0, last=100.0), 99.0, 100.0),
        (tick(bid=101.0, ask=99.0), 99.0, 101.0),  # crossed: the worse of both
        (tick(), None, None),
    ],
)
def test_a_position_is_watched_at_the_side_that_would_close_it(seen, of_a_long, of_a_short):
    assert exit_price(1, seen) == of_a_long
    assert exit_price(-1, seen) == of_a_short


def test_ticks_out_of_session_and_of_before_the_position_do_not_count():
    made = guard(after=7, **BOTH)
    assert counts(made, tick(last=90.0, ts=T0))
    assert counts(made, tick(last=90.0, ts=T0, flags=TICK_LATE))
    assert not counts(made, tick(last=90.0, ts=T0 - 1, flags=TICK_LATE))
    assert not counts(made, tick(last=90.0, flags=TICK_OUT_OF_SESSION))
    assert not counts(made, tick(last=90.0), 7)
    assert counts(made, tick(last=90.0), 8)


# ---- ticks ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("away", "role"),
    [
        (-5.01, "stop_loss"),
        (-5.0, "stop_loss"),
        (-4.99, None),
        (9.99, None),
        (10.0, "take_profit"),
        (10.5, "take_profit"),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_stop_and_target_act_at_a_touch(side, away, role):
    made = guard(side, stop_loss=Level("pct", 5.0), take_profit=Level("pct", 10.0))
    assert watch(made, 100.0 + side * away, T0) == (made, role)


@pytest.mark.parametrize("price", [None, math.nan, math.inf, -math.inf, 0.0, -5.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_price_that_is_none_reaches_nothing_and_disarms_nothing(side, price):
    asked = {"stop_loss": Level("pct", 5.0), "take_profit": Level("pct", 10.0)}
    made = followed(guard(side, **asked, trailing_stop=Trail("price", 2.0)), 100.0 + side)
    assert watch(made, price, T0) == (made, None)
    assert watch(made, 100.0 - side, T0)[1] == "trailing_stop"


def test_times_act_without_a_price():
    made = guard(time_stop_s=60.0)
    assert watch(made, None, T0 + MINUTE - 1) == (made, None)
    assert watch(made, None, T0 + MINUTE) == (made, "time_stop")
    assert watch(made, math.nan, T0 + MINUTE) == (made, "time_stop")


@pytest.mark.parametrize(
    ("expires", "square", "now", "role"),
    [
        (0, 0, 10**19, None),
        (10, 0, 9, None),
        (10, 0, 10, "time_stop"),
        (0, 10, 9, None),
        (0, 10, 10, "square_off"),
        (10, 20, 15, "time_stop"),
        (10, 20, 25, "time_stop"),
        (20, 10, 15, "square_off"),
        (20, 10, 25, "square_off"),
        (10, 10, 10, "time_stop"),
    ],
)
def test_of_two_times_the_first_gives_its_name(expires, square, now, role):
    assert due(replace(guard(**BOTH), expires_at=expires, square_off_at=square), now) == role


def test_a_price_comes_before_a_time():
    made = guard(**BOTH, time_stop_s=1.0)
    assert watch(made, 94.0, T0 + MINUTE)[1] == "stop_loss"
    assert watch(made, 111.0, T0 + MINUTE)[1] == "take_profit"
    assert watch(made, 100.0, T0 + MINUTE)[1] == "time_stop"


@pytest.mark.parametrize("side", [1, -1])
def test_the_trailing_stop_acts_once_price_comes_back_by_its_distance(side):
    made = guard(side, trailing_stop=Trail("price", 2.0, 4.0))
    for away in (-50.0, 3.9, 1.0):
        made, role = watch(made, 100.0 + side * away, T0)
        assert role is None, "it waits for its activation"
    made, role = watch(made, 100.0 + side * 4.0, T0)
    assert (role, made.trail_stop) == (None, 100.0 + side * 2.0)
    made, role = watch(made, 100.0 + side * 2.01, T0)
    assert role is None
    assert watch(made, 100.0 + side * 2.0, T0)[1] == "trailing_stop"


@pytest.mark.parametrize(
    ("stop", "trail", "role"),
    [
        (95.0, 97.0, "trailing_stop"),
        (97.0, 95.0, "stop_loss"),
        (96.0, 96.0, "stop_loss"),
        (None, 96.0, "trailing_stop"),
        (96.0, None, "stop_loss"),
    ],
)
def test_of_two_stops_the_closer_one_gives_its_name(stop, trail, role):
    made = replace(guard(**BOTH), stop=stop, trail_stop=trail)
    assert watch(made, 90.0, T0)[1] == role
    short = replace(guard(-1, time_stop_s=1e9), stop=stop and 200 - stop, trail_stop=trail and 200 - trail)
    assert watch(short, 110.0, T0)[1] == role
    closer = max(each for each in (stop, trail) if each is not None)
    assert watch(made, closer, T0)[1] == role
    assert watch(made, closer + 0.01, T0)[1] is None


def test_the_stop_that_an_unarmed_trail_inherited_still_acts():
    made = replace(guard(trailing_stop=Trail("pct", 1.0, 50.0)), trail_stop=99.0)
    assert watch(made, 99.0, T0)[1] == "trailing_stop"


# ---- bars -----------------------------------------------------------------------------------------
def mirrored(bar):
    """Return ``bar`` as a short sees what a long saw: turned over at 100."""
    return replace(bar, open=200 - bar.open, high=200 - bar.low, low=200 - bar.high, close=200 - bar.close)


@pytest.mark.parametrize(
    ("bar", "role", "price"),
    [
        (candle(100.0, 105.0, 96.0, 101.0), None, None),
        (candle(100.0, 105.0, 95.0, 101.0), "stop_loss", 95.0),
        (candle(100.0, 105.0, 80.0, 81.0), "stop_loss", 95.0),
        (candle(94.0, 105.0, 93.0, 101.0), "stop_loss", 94.0),  # gap: the open, never the better stop
        (candle(95.0, 105.0, 93.0, 101.0), "stop_loss", 95.0),
        (candle(100.0, 110.0, 96.0, 101.0), "take_profit", 110.0),
        (candle(100.0, 120.0, 96.0, 119.0), "take_profit", 110.0),
        (candle(112.0, 120.0, 80.0, 119.0), "take_profit", 112.0),  # gap: the open came first
        (candle(100.0, 120.0, 90.0, 119.0), "stop_loss", 95.0),  # both in one bar: the worse
    ],
)
def test_a_bar_closes_a_position_at_the_worse_of_what_it_touched(bar, role, price):
    made = guard(**BOTH)
    assert watch_bar(made, bar) == (made, role, price)
    short = guard(-1, stop_loss=Level("price", 105.0), take_profit=Level("price", 90.0))
    assert watch_bar(short, mirrored(bar)) == (short, role, price and 200 - price)


@pytest.mark.parametrize(
    ("bar", "role", "price", "trail_stop"),
    [
        # The low may have come before the high: it proves nothing.
        (candle(101.0, 108.0, 100.5, 107.5), None, None, 107.0),
        # The close came after the high: price went through 107 on its way.
        (candle(101.0, 108.0, 100.5, 106.0), "trailing_stop", 107.0, 107.0),
        (candle(101.0, 108.0, 100.5, 107.0), "trailing_stop", 107.0, 107.0),
        # The open came before the low: a stop that follows the open stands when the low comes.
        (candle(105.0, 108.0, 104.0, 107.5), "trailing_stop", 104.0, 104.0),
        (candle(100.0, 100.5, 99.0, 100.5), "trailing_stop", 99.0, 99.0),
        (candle(98.0, 120.0, 97.0, 119.0), "trailing_stop", 98.0, 99.0),
    ],
)  # fmt: skip
def test_a_trailing_stop_follows_a_bar_only_as_far_as_the_bar_proves(bar, role, price, trail_stop):
    made = guard(trailing_stop=Trail("price", 1.0))
    seen, found, at = watch_bar(made, bar)
    assert (found, at, seen.trail_stop) == (role, price, trail_stop)
    seen, found, at = watch_bar(guard(-1, trailing_stop=Trail("price", 1.0)), mirrored(bar))
    assert (found, at, seen.trail_stop) == (role, price and 200 - price, 200 - trail_stop)


def test_a_target_is_reached_before_the_trail_that_its_price_would_move():
    made = guard(take_profit=Level("price", 110.0), trailing_stop=Trail("price", 3.0))
    assert watch_bar(made, candle(100.0, 120.0, 99.0, 101.0))[1:] == ("take_profit", 110.0)


@pytest.mark.parametrize(
    ("bar", "role", "price"),
    [
        (candle(100.0, 105.0, 96.0, 101.0), "time_stop", 101.0),
        (candle(100.0, 105.0, 90.0, 101.0), "stop_loss", 95.0),
        (candle(100.0, 112.0, 96.0, 101.0), "time_stop", 101.0),  # worse than the target of 110
        (candle(100.0, 112.0, 96.0, 111.0), "take_profit", 110.0),
    ],
)
def test_a_time_inside_a_bar_closes_at_its_close_unless_a_price_is_worse(bar, role, price):
    made = guard(**BOTH, time_stop_s=30.0)
    assert watch_bar(made, bar)[1:] == (role, price)


@pytest.mark.parametrize("opened", [T0, T0 + 1])
@pytest.mark.parametrize(("expires", "role"), [(MINUTE - 1, "square_off"), (MINUTE, None)])
def test_the_end_of_a_bar_is_of_the_next_one(opened, expires, role):
    made = guard(at=opened, **BOTH, square_off_at=T0 + expires)
    assert watch_bar(made, candle(100.0, 101.0, 99.0, 100.5))[1:] == (role, role and 100.5)


def test_a_time_acts_at_the_open_from_which_it_has_come():
    made = guard(**BOTH, time_stop_s=60.0)
    assert watch_bar(made, candle(100.0, 101.0, 99.0, 100.5))[1:] == (None, None), "it is of the next bar"
    assert watch_bar(made, candle(100.5, 120.0, 90.0, 100.0, T0 + MINUTE))[1:] == ("time_stop", 100.5)


def test_of_the_bar_in_which_a_position_was_opened_only_the_close_counts():
    made = guard(at=T0 + 1, **BOTH, trailing_stop=Trail("price", 50.0))
    seen, role, price = watch_bar(made, candle(100.0, 120.0, 80.0, 104.0))
    assert (role, price, seen.peak) == (None, None, 104.0)
    assert watch_bar(made, candle(100.0, 120.0, 80.0, 94.0))[1:] == ("stop_loss", 94.0)
    assert watch_bar(guard(at=T0, **BOTH), candle(100.0, 101.0, 80.0, 94.0))[1:] == ("stop_loss", 95.0)


def test_a_position_opened_at_the_close_of_a_bar_is_not_looked_at_with_it():
    made = guard(at=T0 + MINUTE, **BOTH, square_off_at=T0)
    assert watch_bar(made, candle(100.0, 120.0, 80.0, 94.0)) == (made, None, None)


@pytest.mark.parametrize(
    "bar",
    [
        candle(90.0, 120.0, 80.0, 94.0, synthetic=True),
        candle(math.nan, 120.0, 80.0, 94.0),
        candle(90.0, 120.0, 0.0, 94.0),
    ],
)
def test_a_bar_without_prices_reaches_nothing_but_times_go_on(bar):
    made = guard(**BOTH, square_off_at=T0 + MINUTE, trailing_stop=Trail("price", 1.0))
    assert watch_bar(made, bar) == (made, None, None)
    later = replace(bar, open_time=T0 + MINUTE, close_time=T0 + 2 * MINUTE)
    assert watch_bar(made, later) == (made, "square_off", None)
