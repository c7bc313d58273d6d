"""Rules 7 and 8 of the candle specification: where history and stream meet, and what is forming."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bus.messages import Candle
from bus.timeframes import HOUR, MINUTE, SECOND, parse
from tests.bus.replaying import T0, builder, delivered, minute, ohlc, replay, tick, withheld


def ns(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("UTC")).timestamp()) * SECOND


# ---- rule 7: joining -----------------------------------------------------------------------------
def test_a_start_in_mid_interval_gives_a_partial_candle_that_is_withheld():
    groups = replay(builder("1m 5m", since=None), [tick(30, 1.0), tick(61, 2.0), tick(301, 3.0)], minute(10))
    assert [(c.open_time, c.partial) for c in withheld(groups, "1m")] == [(minute(0), True)]
    assert [(c.open_time, c.partial) for c in withheld(groups, "5m")] == [(minute(0), True)]
    assert delivered(groups, "1m")[0].open_time == minute(1)
    assert [c.open_time for c in delivered(groups, "5m")] == [minute(5)]


def minutes_of(first, last, price=10.0):
    return [
        Candle("X", "1m", minute(i), minute(i + 1), price + i, price + i, price + i, price + i, 1.0, 1)
        for i in range(first, last)
    ]


def test_history_and_stream_together_make_the_candle_whole():
    candles = builder("1m 5m 1h", since=minute(3) + 20 * SECOND)
    candles.seed(minutes_of(-5, 4))
    ticks = [tick(3 * 60 + 30, 99.0), tick(4 * 60 + 1, 50.0)]
    groups = replay(candles, ticks, minute(60))
    assert candles.counts["covered"] == 1
    five, hour = delivered(groups, "5m")[0], delivered(groups, "1h")[0]
    assert (ohlc(five), five.trades, five.partial) == ((10.0, 50.0, 10.0, 50.0), 5, False)
    assert (ohlc(hour), hour.trades, hour.partial) == ((10.0, 50.0, 10.0, 50.0), 5, False)
    assert delivered(groups, "1m")[0].open_time == minute(4)
    assert not [c for g in groups for c in g.withheld]


def test_a_hole_between_history_and_stream_leaves_the_candle_partial():
    candles = builder("1m 5m", since=minute(3) + 20 * SECOND)
    candles.seed(minutes_of(0, 2))
    groups = replay(candles, [tick(3 * 60 + 30, 99.0)], minute(5))
    assert [c.open_time for c in withheld(groups, "5m")] == [minute(0)]
    assert [c.open_time for c in withheld(groups, "1m")] == [minute(3)]


def test_history_of_several_timeframes_counts_nothing_twice():
    hour = Candle("X", "1h", T0 - HOUR, T0, 1.0, 2.0, 1.0, 2.0, 60.0, 60)
    before = [
        msgspec.structs.replace(c, open_time=c.open_time - HOUR, close_time=c.close_time - HOUR)
        for c in minutes_of(0, 60)
    ]
    candles = builder("1m 1d")
    candles.seed([*before, hour, *minutes_of(0, 2), *minutes_of(0, 2)], covers=(ns("2024-01-01"), minute(2)))
    groups = replay(candles, [tick(121, 5.0)], ns("2024-01-02"))
    assert [(c.trades, c.open) for c in delivered(groups, "1d")] == [(63, 1.0)]


def test_history_that_is_incomplete_makes_its_candle_incomplete():
    candles = builder("1m 5m", since=minute(2))
    first, second = minutes_of(0, 2)
    candles.seed([msgspec.structs.replace(first, quality="incomplete"), second])
    groups = replay(candles, [tick(121, 5.0)], minute(5))
    assert [(c.trades, c.quality) for c in withheld(groups, "5m")] == [(3, "incomplete")]


def test_nothing_is_made_up_for_a_minute_that_was_not_seen_whole():
    candles = builder("1m", since=minute(3) + 20 * SECOND)
    candles.seed(minutes_of(0, 2))
    groups = candles.close_due(minute(5), minute(5))
    assert [(c.open_time, c.synthetic) for g in groups for c in (*g.candles, *g.withheld)] == [
        (minute(4), True)
    ]


def test_history_after_the_first_tick_is_refused():
    candles = builder("1m")
    candles.add(tick(1, 1.0))
    with pytest.raises(RuntimeError, match="before the first tick"):
        candles.seed(minutes_of(0, 1))


def test_a_timeframe_added_later_leaves_the_others_alone_and_starts_partial():
    candles = builder("1m 1h")
    replay(candles, [tick(60 * i + 1, 1.0 + i) for i in range(8)])
    candles.extend([parse("5m"), parse("30s")], [], minute(7) + SECOND)
    groups = replay(candles, [tick(60 * i + 2, 1.0 + i) for i in range(7, 60)], minute(60))
    assert [c.open_time for c in withheld(groups, "5m")] == [minute(5)]
    assert [c.trades for c in delivered(groups, "5m")] == [5] * 10
    assert withheld(groups, "30s")[0].open_time == minute(7)
    assert [c.trades for c in delivered(groups, "1h")] == [61]


def test_a_timeframe_added_later_is_whole_if_history_covers_it():
    candles = builder("1m")
    groups = replay(candles, [tick(60 * i + 1, 1.0 + i) for i in range(8)])
    candles.extend([parse("5m")], delivered(groups, "1m"), minute(7) + SECOND)
    groups = candles.close_due(minute(10), minute(10))
    assert [(c.trades, c.partial) for c in delivered(groups, "5m")] == [(3, False)]


# ---- rule 8: the forming candle ------------------------------------------------------------------
def test_the_forming_candle_leaves_out_what_belongs_to_the_next_one():
    candles = builder("1m 5m", lateness_ns=2 * MINUTE)
    replay(candles, [tick(270, 1.0), tick(310, 9.0)])
    forming = candles.forming(parse("5m"), T0 + 310 * SECOND)
    assert (ohlc(forming), forming.trades) == ((1.0,) * 4, 1)


def test_the_forming_candle_holds_everything_up_to_now_and_changes_nothing():
    candles = builder("1m 5m 1h")
    replay(candles, [tick(1, 3.0, 1.0), tick(61, 1.0, 2.0), tick(310, 2.0, 4.0)])
    as_of = T0 + 310 * SECOND
    forming = candles.forming(parse("1h"), as_of)
    assert (ohlc(forming), forming.volume, forming.trades) == ((3.0, 3.0, 1.0, 2.0), 7.0, 3)
    assert (forming.closed, forming.as_of) == (False, as_of)
    assert candles.forming(parse("1h"), as_of) == forming
    (hour,) = delivered(candles.close_due(minute(60), minute(60)), "1h")
    assert (ohlc(hour), hour.volume, hour.closed) == ((3.0, 3.0, 1.0, 2.0), 7.0, True)
    assert candles.forming(parse("1h"), minute(60)) is None
    assert candles.forming(parse("2h"), minute(60)) is None
