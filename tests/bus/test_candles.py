"""The must-pass cases of the candle specification (section 11), and rules 2 and 3 by example."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from math import inf, nan
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bus.folding import COMPACT_AT
from bus.intake import Intake
from bus.messages import TICK_LATE, TICK_OUT_OF_SESSION, TICK_VOLUME_UNKNOWN, Candle, Tick
from bus.sessions import SessionCalendar, WeeklySegment, always, at, weekly
from bus.timeframes import DAY, HOUR, MINUTE, SECOND
from tests.bus.replaying import (
    UTC,
    builder,
    delivered,
    minute,
    ohlc,
    replay,
    tick,
    withheld,
)

MS = SECOND // 1000
NEW_YORK = "America/New_York"
NYSE = weekly(
    "NYSE",
    NEW_YORK,
    [WeeklySegment(day, at("09:30"), at("16:00")) for day in range(5)],
    special={"2024-07-03": ((at("09:30"), at("13:00")),)},
)
LUNCH = weekly(
    "L", "UTC", [WeeklySegment(0, at("10:00"), at("12:00")), WeeklySegment(0, at("13:00"), at("15:00"))]
)


def ns(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


def ticks_at(*instants):
    """One trade an instant, prices 1, 2, 3..."""
    return [Tick("X", instant, float(i), 1.0) for i, instant in enumerate(instants, 1)]


# ---- a to e: what vnpy 4.3.0 gets wrong ----------------------------------------------------------
def test_a_two_ticks_at_15_00_on_consecutive_days_are_two_candles():
    first = ns("2024-01-02T15:00:10")
    groups = replay(builder("1m", synthetic="off"), ticks_at(first, first + DAY), first + 2 * DAY)
    assert [(c.open_time, ohlc(c)) for c in delivered(groups, "1m")] == [
        (ns("2024-01-02T15:00"), (1.0,) * 4),
        (ns("2024-01-03T15:00"), (2.0,) * 4),
    ]


@pytest.mark.parametrize("synthetic", ["deliver", "history_only", "off"])
def test_b_a_window_whose_last_minute_is_missing_still_ends_at_its_boundary(synthetic):
    ticks = [tick(60 * i + 5, 100.0 + i) for i in range(30) if i != 14]
    groups = replay(builder("1m 15m", synthetic=synthetic), ticks, minute(30))
    quarters = delivered(groups, "15m")
    assert [(c.open_time, c.close_time, ohlc(c), c.trades) for c in quarters] == [
        (minute(0), minute(15), (100.0, 113.0, 100.0, 113.0), 14),
        (minute(15), minute(30), (115.0, 129.0, 115.0, 129.0), 15),
    ]


def test_c_no_lot_is_lost_when_the_day_counter_starts_again():
    calendar = weekly("D", "UTC", [WeeklySegment(day, at("09:15"), at("15:30")) for day in range(5)])
    intake = Intake("f", "openalgo", max_ahead_s=None, trading_day=lambda _, ts: calendar.day(ts).label)
    candles = builder("1m 1d", calendar)
    groups = []
    readings = [
        ("2024-01-02T15:28", 970),
        ("2024-01-02T15:29", 1000),
        ("2024-01-03T09:15", 50),
        ("2024-01-03T09:15:30", 80),
    ]
    for text, counter in readings:
        payload = {"ltp": 100 + counter / 1000, "ltt": ns(text) // MS, "volume": counter}
        for one in intake.accept([b"NSE_X_QUOTE", msgspec.json.encode(payload)], ns(text)):
            groups += replay(candles, [one])
    groups += candles.close_due(ns("2024-01-04T09:15"), ns("2024-01-04T09:15"))
    traded = [(c.open_time, c.volume) for c in delivered(groups, "1m") if not c.synthetic]
    assert traded == [(ns("2024-01-02T15:29"), 30.0), (ns("2024-01-03T09:15"), 80.0)]
    # The first reading had no baseline: its minute and its day are partial, the next day is whole.
    assert [c.volume for c in withheld(groups, "1m")] == [0.0]
    assert [(c.volume, c.partial) for c in withheld(groups, "1d")] == [(30.0, True)]
    assert [(c.volume, c.partial) for c in delivered(groups, "1d")] == [(80.0, False)]


def test_d_one_late_tick_changes_nothing_and_is_counted():
    ticks = [tick(1, 1.0), tick(30, 2.0), tick(61, 3.0), tick(59, 9.0), tick(62, 4.0)]
    candles = builder("1m 5m")
    groups = replay(candles, ticks, minute(2))
    assert [(c.open_time, ohlc(c)) for c in delivered(groups, "1m")] == [
        (minute(0), (1.0, 2.0, 1.0, 2.0)),
        (minute(1), (3.0, 4.0, 3.0, 4.0)),
    ]
    assert candles.counts["late"] == 1
    assert candles.corrections() == [ticks[3]]
    assert candles.corrections() == []


def test_d_the_late_tick_is_flagged_for_the_strategy():
    candles = builder("1m")
    replay(candles, [tick(1, 1.0), tick(61, 3.0)])
    assert candles.add(tick(59, 9.0)) == TICK_LATE
    assert candles.add(tick(62, 9.0)) == 0


def test_e_hours_22_of_two_days_are_two_candles():
    first = ns("2024-01-02T22:10")
    groups = replay(builder("1m 1h", synthetic="off"), ticks_at(first, first + DAY), first + 2 * DAY)
    assert [c.open_time for c in delivered(groups, "1h")] == [ns("2024-01-02T22:00"), ns("2024-01-03T22:00")]


# ---- the rest of section 11 ----------------------------------------------------------------------
def test_the_last_minute_of_a_session_closes_by_the_timer_though_no_tick_follows():
    candles = builder("1m 1d", NYSE)
    last = ns("2024-07-01T15:59:58", NEW_YORK)
    close = ns("2024-07-01T16:00", NEW_YORK)
    candles.add(Tick("X", last, 10.0, 1.0))
    assert candles.next_wall == close + 250 * MS
    assert candles.close_due(last, close + 249 * MS) == []
    (group,) = candles.close_due(last, candles.next_wall)
    assert [(c.timeframe, c.close_time) for c in group.candles] == [("1m", close), ("1d", close)]
    assert candles.next_wall == ns("2024-07-02T09:31", NEW_YORK) + 250 * MS


@pytest.mark.parametrize(
    ("day", "after", "hours"), [("2024-03-10", "2024-03-11", 23), ("2024-11-03", "2024-11-04", 25)]
)
def test_days_on_which_new_york_changes_its_clocks(day, after, hours):
    opens, closes = ns(day, NEW_YORK), ns(after, NEW_YORK)
    ticks = [Tick("X", opens + i * HOUR, 1.0 + i, 1.0) for i in range(hours)]
    groups = replay(builder("1h 1d", always(NEW_YORK)), ticks, closes)
    assert len(delivered(groups, "1h")) == hours
    (candle,) = delivered(groups, "1d")
    assert (candle.open_time, candle.close_time, candle.trades) == (opens, closes, hours)


def test_a_half_day_closes_at_its_early_end_and_makes_nothing_up_afterwards():
    opens, closes = ns("2024-07-03T09:30", NEW_YORK), ns("2024-07-03T13:00", NEW_YORK)
    groups = replay(
        builder("1h 1d", NYSE), ticks_at(opens, closes - SECOND), ns("2024-07-03T20:00", NEW_YORK)
    )
    assert [c.close_time for c in delivered(groups, "1h")][-1] == closes
    assert [(c.close_time, c.close) for c in delivered(groups, "1d")] == [(closes, 2.0)]


def test_a_half_day_that_no_calendar_knew_is_closed_by_the_end_of_session_message():
    opens, early = ns("2024-07-01T09:30", NEW_YORK), ns("2024-07-01T13:00", NEW_YORK)
    candles = builder("1h 1d 1w", NYSE)
    replay(candles, ticks_at(opens, early - MINUTE))
    groups = candles.flush(early)
    last, nominal = ns("2024-07-01T13:30", NEW_YORK), ns("2024-07-01T16:00", NEW_YORK)
    assert [(g.as_of, [c.timeframe for c in g.candles]) for g in groups] == [
        (last, ["1h"]),
        (nominal, ["1d"]),
    ]
    assert candles.add(Tick("X", early + MINUTE, 5.0, 1.0)) == TICK_LATE
    # The week goes on with the next day.
    groups = replay(candles, ticks_at(ns("2024-07-02T09:30", NEW_YORK)), ns("2024-07-08", NEW_YORK))
    assert [c.trades for c in delivered(groups, "1w")] == [3]


def test_nothing_is_made_up_in_the_lunch_break_nor_does_a_candle_cross_it():
    ticks = ticks_at(ns("2024-01-01T11:58"), ns("2024-01-01T13:01"))
    groups = replay(builder("1m 45m", LUNCH), ticks, ns("2024-01-01T15:00"))
    times = [c.open_time for c in delivered(groups, "1m")]
    assert times[:3] == [ns("2024-01-01T11:58"), ns("2024-01-01T11:59"), ns("2024-01-01T13:00")]
    windows = [(c.open_time, c.close_time) for c in delivered(groups, "45m")]
    assert windows[0] == (ns("2024-01-01T11:30"), ns("2024-01-01T12:00"))
    assert windows[1] == (ns("2024-01-01T13:00"), ns("2024-01-01T13:45"))


@pytest.mark.parametrize(("timeframe", "count"), [("7m", 206), ("45m", 32), ("5h", 5)])
def test_periods_that_do_not_divide_the_day_start_again_at_midnight(timeframe, count):
    ticks = [Tick("X", ns("2024-01-01") + i * MINUTE, 1.0 + i, 1.0) for i in range(1441)]
    groups = replay(builder(f"1m {timeframe}"), ticks, ns("2024-01-03"))
    ours = [c for c in delivered(groups, timeframe) if c.open_time < ns("2024-01-02")]
    assert len(ours) == count
    assert ours[-1].close_time == ns("2024-01-02")
    assert sum(c.trades for c in ours) == 1440


def test_a_trade_exactly_on_the_boundary_opens_the_next_candle():
    groups = replay(builder("1m"), [tick(59.999, 1.0), tick(60, 2.0)], minute(2))
    assert [ohlc(c) for c in delivered(groups, "1m")] == [(1.0,) * 4, (2.0,) * 4]


def test_all_permutations_of_the_ticks_in_a_candle_give_the_same_candle():
    ticks = [
        tick(1, 5.0, 0.1, seq=1), tick(1, 7.0, 0.2, seq=2), tick(2, 3.0, 0.3, seq=3),
        tick(9, 4.0, 0.7, seq=4), tick(9, 6.0, 1e9, seq=5),
    ]  # fmt: skip
    candles = {
        msgspec.msgpack.encode(delivered(replay(builder("1m"), order, minute(1)), "1m"))
        for order in permutations(ticks)
    }
    assert len(candles) == 1
    (candle,) = msgspec.msgpack.decode(candles.pop(), type=list[Candle])
    assert ohlc(candle) == (5.0, 7.0, 3.0, 6.0)


@pytest.mark.parametrize("price", [nan, inf, 0.0, -1.0, 1e16])
def test_a_price_that_is_none_is_rejected_and_counted(price):
    candles = builder("1m")
    groups = replay(candles, [tick(1, price), tick(2, 5.0), tick(3, price), tick(4, 6.0)], minute(1))
    assert [ohlc(c) for c in delivered(groups, "1m")] == [(5.0, 6.0, 5.0, 6.0)]
    assert candles.counts["price"] == 2


@pytest.mark.parametrize("size", [nan, inf, -1.0, 1e16])
def test_a_size_that_is_none_is_rejected_and_counted(size):
    candles = builder("1m")
    groups = replay(candles, [tick(1, 9.0, size), tick(2, 5.0), tick(3, 9.0, size)], minute(1))
    assert [(ohlc(c), c.volume) for c in delivered(groups, "1m")] == [((5.0,) * 4, 1.0)]
    assert candles.counts["size"] == 2


def test_a_trade_id_that_comes_twice_counts_once():
    intake = Intake("f", "native", max_ahead_s=None)
    ticks = []
    for trade_id in ("7", "8", "7"):
        one = tick(1, 5.0, 2.0, trade_id=trade_id)
        ticks += intake.accept([b"tick.X", msgspec.msgpack.encode(one)], one.ts)
    (candle,) = delivered(replay(builder("1m"), ticks, minute(1)), "1m")
    assert (candle.trades, candle.volume) == (2, 4.0)


def test_the_order_of_1m_5m_1h_1d_at_midnight_is_ascending_on_one_instant():
    midnight = ns("2024-01-02")
    groups = replay(builder("1d 1h 5m 1m"), ticks_at(ns("2024-01-01"), midnight - SECOND), midnight)
    last = groups[-1]
    assert last.as_of == midnight
    assert [c.timeframe for c in last.candles] == ["1m", "5m", "1h", "1d"]
    assert {c.close_time for c in last.candles} == {midnight}


# ---- rule 3: content -----------------------------------------------------------------------------
def test_volume_turnover_count_and_vwap():
    (candle,) = delivered(replay(builder("1m"), [tick(1, 10.0, 3.0), tick(2, 20.0, 1.0)], minute(1)), "1m")
    assert (candle.volume, candle.turnover, candle.trades, candle.vwap) == (4.0, 50.0, 2, 12.5)


def test_turnover_is_unknown_where_a_size_is():
    groups = replay(
        builder("1m 5m"), [tick(1, 10.0, 3.0), tick(2, 20.0, None), tick(70, 1.0, 1.0)], minute(5)
    )
    minutes, (five,) = delivered(groups, "1m"), delivered(groups, "5m")
    assert [c.turnover for c in minutes[:2]] == [None, 1.0]
    assert (five.turnover, five.volume, five.trades) == (None, 4.0, 3)


def test_a_tick_volume_is_the_number_of_ticks_and_flagged_as_such():
    (candle,) = delivered(
        replay(builder("1m", volume_kind="tick"), [tick(1, 2.0, None), tick(2, 3.0)], minute(1)), "1m"
    )
    assert (candle.volume, candle.turnover, candle.volume_kind) == (2.0, None, "tick")


def test_the_sum_of_sizes_is_exact_over_many_ticks_in_bounded_memory():
    candles = builder("1m")
    replay(candles, [tick(i / 1000, 1.0, 0.1) for i in range(10_000)])
    assert len(candles._hot[0].terms) <= COMPACT_AT
    (candle,) = delivered(candles.close_due(minute(1), minute(1)), "1m")
    assert (candle.volume, candle.trades) == (1000.0, 10_000)


@pytest.mark.parametrize(
    ("kind", "price"), [("bid", 1.0), ("ask", 3.0), ("mid", 2.0), ("last", 9.0), ("mark", 9.0)]
)
def test_the_kind_of_price_is_part_of_the_stream(kind, price):
    one = tick(1, 9.0, bid=1.0, ask=3.0)
    (candle,) = delivered(replay(builder("1m", price=kind), [one], minute(1)), "1m")
    assert (candle.close, candle.price_kind) == (price, kind)


def test_a_quote_is_no_trade():
    candles = builder("1m")
    groups = replay(
        candles, [tick(1, None, None, bid=1.0, ask=2.0), tick(2, 5.0), tick(3, None, bid=1.0)], minute(1)
    )
    assert [c.trades for c in delivered(groups, "1m")] == [1]


# ---- rule 2: out of session ----------------------------------------------------------------------
def test_a_tick_out_of_session_is_counted_flagged_and_in_no_candle():
    candles = builder("1m 1d", NYSE)
    assert candles.add(Tick("X", ns("2024-07-01T09:29", NEW_YORK), 1.0, 1.0)) == TICK_OUT_OF_SESSION
    assert candles.add(Tick("X", ns("2024-07-01T09:30", NEW_YORK), 2.0, 1.0)) == 0
    groups = candles.close_due(ns("2024-07-02", NEW_YORK), 0)
    assert [ohlc(c) for c in delivered(groups, "1d")] == [(2.0,) * 4]
    assert candles.counts["out_of_session"] == 1


@pytest.mark.parametrize("timeframe", ["1h", "1d", "1w"])
def test_a_print_in_the_lunch_break_is_in_no_candle_that_spans_the_break(timeframe):
    calendar = msgspec.structs.replace(LUNCH, join_breaks=True)
    candles = builder(timeframe, calendar)
    prints = ticks_at(ns("2024-01-01T11:45"), ns("2024-01-01T12:30"), ns("2024-01-01T13:00"))
    groups = replay(candles, prints, ns("2024-01-08"))
    assert candles.counts["out_of_session"] == 1
    assert sum(c.trades for c in delivered(groups, timeframe)) == 2


def test_an_auction_print_opens_the_first_candle_of_the_day_if_the_calendar_says_so():
    calendar = weekly("A", NEW_YORK, NYSE.week, auction=5 * MINUTE)
    opens = ns("2024-07-01T09:30", NEW_YORK)
    groups = replay(builder("1m 1d", calendar), ticks_at(opens - MINUTE, opens + SECOND), opens + DAY)
    assert [(c.open_time, ohlc(c)) for c in delivered(groups, "1d")] == [(opens, (1.0, 2.0, 1.0, 2.0))]
    assert delivered(groups, "1m")[0].open_time == opens


def test_a_calendar_that_ends_leaves_nothing_open_and_nothing_due():
    day = NYSE.day(ns("2024-07-01T10:00", NEW_YORK))
    candles = builder("1m 1d", SessionCalendar(name="T", days=(day,)))
    groups = replay(candles, ticks_at(day.open), day.close + DAY)
    assert [c.close_time for c in delivered(groups, "1d")] == [day.close]
    assert candles.next_wall is None
    assert candles.add(Tick("X", day.close + DAY, 1.0, 1.0)) == TICK_OUT_OF_SESSION


def test_a_volume_without_baseline_makes_its_candle_partial():
    groups = replay(builder("1m"), [tick(1, 5.0, 0.0, flags=TICK_VOLUME_UNKNOWN), tick(61, 5.0)], minute(2))
    assert [c.partial for c in withheld(groups, "1m")] == [True]
    assert [c.partial for c in delivered(groups, "1m")] == [False]


def test_no_timeframes_make_no_candles():
    candles = builder("", UTC)
    assert candles.add(tick(1, 1.0)) == 0
    assert candles.close_due(minute(9), minute(9)) == []
