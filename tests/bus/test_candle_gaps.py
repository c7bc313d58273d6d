"""Rule 6 of the candle specification: intervals without trades, with a healthy feed and without."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bus.messages import Candle, Tick
from bus.sessions import WeeklySegment, at, weekly
from bus.timeframes import DAY, HOUR, MINUTE, SECOND
from tests.bus.replaying import T0, builder, delivered, minute, ohlc, replay, tick, withheld

NEW_YORK = "America/New_York"
NYSE = weekly("NYSE", NEW_YORK, [WeeklySegment(day, at("09:30"), at("16:00")) for day in range(5)])
MS = SECOND // 1000


def ns(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


# ---- rule 6: gaps --------------------------------------------------------------------------------
def test_minutes_without_a_trade_are_flat_so_that_20_periods_are_20_periods():
    groups = replay(builder("1m 5m"), [tick(1, 1.0), tick(2, 7.0), tick(1201, 5.0)], minute(20))
    minutes = delivered(groups, "1m")
    assert [c.open_time for c in minutes] == [minute(i) for i in range(20)]
    assert {(ohlc(c), c.volume, c.trades, c.synthetic) for c in minutes[1:]} == {((7.0,) * 4, 0.0, 0, True)}
    assert [(c.open_time, c.synthetic) for c in delivered(groups, "5m")] == [
        (minute(0), False), (minute(5), True), (minute(10), True), (minute(15), True),
    ]  # fmt: skip


def test_synthetic_candles_may_be_kept_for_histories_or_left_out():
    ticks = [tick(1, 1.0), tick(181, 2.0)]
    kept = replay(builder("1m", synthetic="history_only"), ticks, minute(4))
    assert [c.open_time for c in delivered(kept, "1m")] == [minute(0), minute(3)]
    assert [c.open_time for c in withheld(kept, "1m")] == [minute(1), minute(2)]
    off = replay(builder("1m", synthetic="off"), ticks, minute(4))
    assert (len(delivered(off, "1m")), withheld(off, "1m")) == (2, [])


def test_an_outage_across_a_boundary_leaves_incomplete_candles_and_none_made_up():
    candles = builder("1m 5m")
    replay(candles, [tick(1, 1.0), tick(61, 2.0), tick(90, 3.0)])
    candles.mark_unhealthy(minute(1) + 40 * SECOND)
    assert candles.close_due(minute(1), minute(4), healthy=False) == []
    candles.mark_healthy(minute(3) + 10 * SECOND)
    groups = replay(candles, [tick(191, 4.0), tick(241, 5.0)], minute(10))
    assert [(c.open_time, c.quality) for c in withheld(groups, "1m")] == [
        (minute(1), "incomplete"),
        (minute(3), "incomplete"),
    ]
    assert [c.open_time for c in delivered(groups, "1m")] == [minute(i) for i in range(4, 10)]
    assert [(c.open_time, c.quality) for c in withheld(groups, "5m")] == [(minute(0), "incomplete")]
    assert [c.open_time for c in delivered(groups, "5m")] == [minute(5)]
    wanted = candles.backfill.requests()
    assert sorted(wanted) == sorted(
        [("1m", minute(1), minute(2)), ("1m", minute(2), minute(3)), ("1m", minute(3), minute(4)),
         ("5m", minute(0), minute(5))]
    )  # fmt: skip
    assert candles.backfill.requests() == []


def test_an_outage_that_is_told_twice_began_when_it_was_first_told():
    candles = builder("1m")
    candles.add(tick(1, 1.0))
    candles.mark_unhealthy(minute(1))
    candles.mark_unhealthy(minute(5))
    groups = replay(candles, [tick(70, 2.0)])
    groups += candles.close_due(minute(2), 0, healthy=False)
    assert [(c.open_time, c.quality) for g in groups for c in (*g.candles, *g.withheld)] == [
        (minute(0), "ok"),
        (minute(1), "incomplete"),
    ]


def test_what_was_missing_is_delivered_once_as_backfilled():
    candles = builder("1m")
    replay(candles, [tick(1, 1.0)])
    candles.mark_unhealthy(T0)
    candles.mark_healthy(minute(2))
    replay(candles, [tick(150, 2.0)], minute(3))
    official = [Candle("X", "1m", minute(i), minute(i + 1), 1.0, 1.0, 1.0, 1.0, 5.0) for i in range(3)]
    found = candles.backfill.deliver(reversed(official))
    assert [(c.open_time, c.backfilled) for c in found] == [(minute(0), True), (minute(1), True)]
    assert candles.backfill.deliver(official) == []


def test_during_an_outage_only_the_watermark_or_the_end_of_the_session_closes():
    candles = builder("1m", NYSE)
    last, close = ns("2024-07-01T15:57:30", NEW_YORK), ns("2024-07-01T16:00", NEW_YORK)
    candles.add(Tick("X", last, 1.0, 1.0))
    assert candles.close_due(last, close, healthy=False) == []
    assert candles.next_wall == close + 250 * MS
    groups = candles.close_due(last, close + 250 * MS, healthy=False)
    assert [(c.close_time, c.quality) for c in withheld(groups, "1m")] == [(close - 2 * MINUTE, "incomplete")]
    assert candles.close_due(last, close + DAY // 2, healthy=False) == []


def test_an_outage_of_hours_is_passed_over_in_one_step():
    candles = builder("1s")
    candles.add(tick(0, 1.0))
    candles.mark_unhealthy(T0)
    candles.mark_healthy(T0 + 8 * HOUR)
    groups = replay(candles, [tick(8 * 3600 + 1, 2.0)], T0 + 8 * HOUR + 2 * SECOND)
    assert [c.open_time for c in delivered(groups, "1s")] == [T0 + 8 * HOUR, T0 + 8 * HOUR + SECOND]
    wanted = candles.backfill.requests()
    assert len(wanted) <= 3
    assert (wanted[0][1], wanted[-1][2]) == (T0, T0 + 8 * HOUR)
