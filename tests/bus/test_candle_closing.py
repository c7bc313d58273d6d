"""Rules 4 and 5 of the candle specification: what closes a candle, and what comes too late for it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from bus.messages import TICK_LATE, Tick
from bus.sessions import WeeklySegment, at, weekly
from bus.timeframes import HOUR, MINUTE, SECOND
from tests.bus.replaying import builder, delivered, minute, ohlc, replay, tick

NEW_YORK = "America/New_York"
NYSE = weekly("NYSE", NEW_YORK, [WeeklySegment(day, at("09:30"), at("16:00")) for day in range(5)])


def ns(text, zone):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


def ticks_at(*instants):
    """One trade an instant, prices 1, 2, 3..."""
    return [Tick("X", instant, float(i), 1.0) for i, instant in enumerate(instants, 1)]


# ---- rule 4: closing -----------------------------------------------------------------------------
def test_the_watermark_closes_at_the_boundary_and_heartbeats_move_it():
    candles = builder("1m")
    candles.add(tick(1, 1.0))
    assert candles.next_close == minute(1)
    assert candles.close_due(minute(1) - 1, minute(1) - 1) == []
    assert [g.as_of for g in candles.close_due(minute(1), 0)] == [minute(1)]
    assert candles.close_due(minute(1), minute(1)) == []


def test_lateness_keeps_a_candle_open_beside_the_next_one():
    candles = builder("1m 5m", lateness_ns=2 * SECOND)
    ticks = [tick(58, 1.0), tick(60.5, 2.0), tick(59, 3.0), tick(61.9, 4.0), tick(62, 5.0), tick(59.5, 9.0)]
    groups = replay(candles, ticks, minute(5) + 2 * SECOND)
    assert [(ohlc(c), c.trades) for c in delivered(groups, "1m")[:2]] == [
        ((1.0, 3.0, 1.0, 3.0), 2),
        ((2.0, 5.0, 2.0, 5.0), 3),
    ]
    assert candles.counts["late"] == 1
    assert [c.trades for c in delivered(groups, "5m")] == [5]


def test_a_tick_before_the_first_candle_is_late():
    candles = builder("5m 7m")
    assert candles.add(tick(6 * 60, 1.0)) == 0
    # The 7m candle 10:02-10:09 is open, but the 5m candle of this instant never was.
    assert candles.add(tick(4 * 60, 2.0)) == TICK_LATE


def test_a_tick_of_a_minute_that_was_passed_over_is_late():
    candles = builder("1m", synthetic="off")
    assert candles.closed_to == 0
    groups = replay(candles, [tick(0, 1.0), tick(450, 2.0), tick(360, 9.0)])
    assert candles.closed_to == minute(7)
    groups += candles.close_due(minute(8), minute(8))
    assert [(c.open_time, ohlc(c)) for c in delivered(groups, "1m")] == [
        (minute(0), (1.0,) * 4),
        (minute(7), (2.0,) * 4),
    ]
    assert candles.counts["late"] == 1


def test_the_end_of_a_session_makes_nothing_up_around_what_came_after_it():
    candles = builder("1m", NYSE, lateness_ns=HOUR)
    early = ns("2024-07-01T13:00", NEW_YORK)
    replay(candles, ticks_at(early - 2 * MINUTE, early + 5 * MINUTE))
    found = delivered(candles.flush(early), "1m")
    assert [(c.open_time, c.synthetic) for c in found] == [
        (early - 2 * MINUTE, False), (early - MINUTE, True), (early + 5 * MINUTE, False),
    ]  # fmt: skip


def test_the_timer_waits_at_least_as_long_as_the_lateness():
    candles = builder("1m", lateness_ns=2 * SECOND)
    candles.add(tick(1, 1.0))
    assert candles.next_wall == minute(1) + 2 * SECOND
