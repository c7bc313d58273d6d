"""Candles from bars that a feed made itself, alone and beside its ticks (rule 9)."""

from __future__ import annotations

import msgspec

from bus.candles import BAR_GRACE
from bus.messages import TICK_LATE, Bar
from bus.timeframes import SECOND
from tests.bus.replaying import builder, delivered, minute, ohlc, replay, replay_bars, tick, withheld


# ---- bars that the feed made itself --------------------------------------------------------------
def bar(index, price, volume=1.0, timeframe="1m", closed=True):
    return Bar("X", timeframe, minute(index), price, price + 1, price - 1, price, volume, closed)


def test_closed_bars_of_a_feed_make_the_candles_above_them():
    candles = builder("1m 5m")
    groups = replay_bars(candles, [bar(0, 10.0), bar(1, 20.0), bar(4, 5.0)], minute(5))
    assert [c.open_time for c in delivered(groups, "1m")] == [minute(i) for i in range(5)]
    (five,) = delivered(groups, "5m")
    assert (ohlc(five), five.volume, five.turnover) == ((10.0, 21.0, 4.0, 5.0), 3.0, None)


def test_the_timer_waits_for_a_bar_which_comes_after_its_interval():
    candles = builder("1m")
    candles.add_bar(bar(0, 10.0))
    candles.close_due(minute(1), minute(1))
    assert candles.close_due(minute(2) + SECOND, minute(2) + SECOND) == []
    assert candles.next_wall == minute(2) + BAR_GRACE
    assert candles.add_bar(bar(1, 11.0)) == 0
    (group,) = candles.close_due(minute(2) + SECOND, minute(2) + SECOND)
    assert [c.close for c in group.candles] == [11.0]


def test_bars_are_refused_or_passed_over_by_reason():
    candles = builder("1m")
    candles.add_bar(bar(0, 10.0))
    candles.add_bar(bar(0, 10.0))
    candles.add_bar(bar(1, 10.0, closed=False))
    candles.add_bar(bar(0, 10.0, timeframe="48h"))
    candles.add_bar(bar(1, 10.0, timeframe="5m"))
    candles.add_bar(bar(0, 10.0, timeframe="5m"))
    candles.close_due(minute(9), minute(9))
    assert candles.add_bar(bar(2, 10.0)) == TICK_LATE
    assert candles.counts == {
        "late": 1, "out_of_session": 0, "bar_duplicate": 1, "bar_forming": 1, "bar_timeframe": 1,
        "bar_bounds": 1, "bar_unused": 1,
    }  # fmt: skip


def test_bars_beside_ticks_verify_our_own_candles():
    candles = builder("1m")
    replay(candles, [tick(1, 10.0), tick(2, 11.0), tick(61, 12.0)])
    ours = Bar("X", "1m", minute(0), 10.0, 11.0, 10.0, 11.0, 2.0, True)
    candles.add_bar(ours)
    candles.add_bar(msgspec.structs.replace(ours, high=12.0))
    assert (candles.counts["bar_agrees"], candles.counts["bar_differs"]) == (1, 1)


def test_ticks_that_come_to_a_feed_of_bars_take_over_after_a_partial_candle():
    candles = builder("1m")
    groups = replay_bars(candles, [bar(0, 10.0)])
    groups += replay(candles, [tick(70, 5.0), tick(121, 6.0)], minute(3))
    assert [c.open_time for c in withheld(groups, "1m")] == [minute(1)]
    assert [c.open_time for c in delivered(groups, "1m")] == [minute(0), minute(2)]
