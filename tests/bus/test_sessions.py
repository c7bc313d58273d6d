"""Rule 2 of the candle specification: where candles begin and end, on every kind of calendar."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.sessions import (
    CalendarError,
    SessionCalendar,
    TradingDay,
    WeeklySegment,
    always,
    at,
    overnight,
    weekly,
)
from bus.timeframes import HOUR, MINUTE, SECOND, parse

NEW_YORK = "America/New_York"
FX = overnight("FX", NEW_YORK, "17:00", "17:00")
CME = overnight("CME", "America/Chicago", "17:00", "16:00")
NYSE = weekly(
    "NYSE",
    NEW_YORK,
    [WeeklySegment(day, at("09:30"), at("16:00")) for day in range(5)],
    holidays=frozenset(["2024-07-04"]),
    special={"2024-07-03": ((at("09:30"), at("13:00")),), "2024-07-06": ((at("10:00"), at("11:00")),)},
)
HONG_KONG = weekly(
    "HK",
    "Asia/Hong_Kong",
    [
        segment
        for day in range(5)
        for segment in (
            WeeklySegment(day, at("09:30"), at("12:00")),
            WeeklySegment(day, at("13:00"), at("16:00")),
        )
    ],
)
CHINA_FUTURES = weekly(
    "CN",
    "Asia/Shanghai",
    [
        WeeklySegment(day, opens, closes)
        for day in range(5)
        for opens, closes in (
            # The night session belongs to the next trading day, Friday night's to Monday.
            (at("21:00", -3 if day == 0 else -1), at("23:00", -3 if day == 0 else -1)),
            (at("09:00"), at("10:15")),
            (at("10:30"), at("11:30")),
            (at("13:30"), at("15:00")),
        )
    ],
    join_breaks=True,
)


def ns(text, zone="UTC", fold=0):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * SECOND


def candles_of(calendar, timeframe, first, last):
    """Bounds of every candle from ``first`` until ``last``, by asking for the next one."""
    frame, found, ts = parse(timeframe), [], calendar.next_open(first)
    while ts is not None and ts < last:
        bounds = calendar.bounds(frame, ts)
        found.append(bounds)
        ts = calendar.next_open(bounds[1])
    return found


# ---- round the clock ------------------------------------------------------------------------------
@pytest.mark.parametrize(("timeframe", "count", "last"), [("7m", 206, 5), ("45m", 32, 45), ("5h", 5, 240)])
def test_periods_that_do_not_divide_the_day_restart_with_a_short_last_candle(timeframe, count, last):
    day = candles_of(always(), timeframe, ns("2024-01-01"), ns("2024-01-02"))
    assert len(day) == count
    assert day[-1] == (ns("2024-01-02") - last * MINUTE, ns("2024-01-02"))
    following = always().bounds(parse(timeframe), ns("2024-01-02"))
    assert following == (ns("2024-01-02"), ns("2024-01-02") + parse(timeframe).span)


def test_an_instant_on_a_boundary_belongs_to_the_candle_that_opens():
    frame, boundary = parse("1m"), ns("2024-01-01T10:01")
    assert always().bounds(frame, boundary - 1) == (boundary - MINUTE, boundary)
    assert always().bounds(frame, boundary) == (boundary, boundary + MINUTE)


@pytest.mark.parametrize(
    ("day", "after", "hours"), [("2024-03-10", "2024-03-11", 23), ("2024-11-03", "2024-11-04", 25)]
)
def test_a_day_of_new_york_has_23_or_25_hours_when_the_clocks_change(day, after, hours):
    calendar = always(NEW_YORK)
    opens, closes = ns(day, NEW_YORK), ns(after, NEW_YORK)
    assert closes - opens == hours * HOUR
    assert calendar.bounds(parse("1d"), opens + 5 * HOUR) == (opens, closes)
    candles = candles_of(calendar, "1h", opens, closes)
    assert candles == [(opens + i * HOUR, opens + (i + 1) * HOUR) for i in range(hours)]
    four_hours = candles_of(calendar, "4h", opens, closes)
    assert [b - a for a, b in four_hours] == [4 * HOUR] * (hours // 4) + [hours % 4 * HOUR]


def test_the_lean_fxcm_day_is_midnight_of_fixed_utc_minus_5():
    calendar = always("Etc/GMT+5")
    assert calendar.bounds(parse("1d"), ns("2014-05-05T12:00")) == (
        ns("2014-05-05T05:00"),
        ns("2014-05-06T05:00"),
    )


def test_weeks_begin_on_monday_and_months_on_the_first():
    ts = ns("2024-02-15T12:00")
    assert always().bounds(parse("1w"), ts) == (ns("2024-02-12"), ns("2024-02-19"))
    assert always().bounds(parse("1M"), ts) == (ns("2024-02-01"), ns("2024-03-01"))
    assert always().bounds(parse("3M"), ts) == (ns("2024-01-01"), ns("2024-04-01"))
    assert always().bounds(parse("12M"), ts) == (ns("2024-01-01"), ns("2025-01-01"))


def test_two_weeks_count_from_the_first_iso_week_of_the_year_and_end_with_it():
    # 2020 has 53 ISO weeks: the 27th pair is one week long.
    assert always().bounds(parse("2w"), ns("2020-01-10")) == (ns("2019-12-30"), ns("2020-01-13"))
    assert always().bounds(parse("2w"), ns("2021-01-02")) == (ns("2020-12-28"), ns("2021-01-04"))


# ---- sessions -------------------------------------------------------------------------------------
def test_candles_of_a_session_count_from_its_open_and_never_cross_its_close():
    hours = candles_of(NYSE, "1h", ns("2024-07-01T00:00", NEW_YORK), ns("2024-07-02T00:00", NEW_YORK))
    opens = ns("2024-07-01T09:30", NEW_YORK)
    assert hours[0] == (opens, opens + HOUR)
    assert hours[-1] == (opens + 6 * HOUR, ns("2024-07-01T16:00", NEW_YORK))
    assert len(hours) == 7


def test_nothing_is_in_session_out_of_hours_on_weekends_and_on_holidays():
    for text in ("2024-07-01T09:29:59", "2024-07-01T16:00", "2024-07-04T11:00", "2024-07-07T11:00"):
        instant = ns(text, NEW_YORK)
        assert NYSE.segment(instant) is None
        assert NYSE.bounds(parse("1m"), instant) is None
        assert NYSE.bounds(parse("1d"), instant) is None


def test_a_half_day_ends_its_candles_early():
    assert NYSE.bounds(parse("1d"), ns("2024-07-03T10:00", NEW_YORK))[1] == ns("2024-07-03T13:00", NEW_YORK)
    assert NYSE.bounds(parse("1h"), ns("2024-07-03T12:45", NEW_YORK)) == (
        ns("2024-07-03T12:30", NEW_YORK),
        ns("2024-07-03T13:00", NEW_YORK),
    )


def test_a_special_saturday_session_extends_its_week():
    week = NYSE.bounds(parse("1w"), ns("2024-07-02T10:00", NEW_YORK))
    assert week == (ns("2024-07-01T09:30", NEW_YORK), ns("2024-07-06T11:00", NEW_YORK))


def test_a_week_without_its_monday_opens_on_the_first_trading_day():
    calendar = weekly("X", NEW_YORK, NYSE.week, holidays=frozenset(["2024-09-02"]))
    assert calendar.bounds(parse("1w"), ns("2024-09-04T10:00", NEW_YORK))[0] == ns(
        "2024-09-03T09:30", NEW_YORK
    )


def test_two_days_count_trading_days_from_the_first_of_the_year():
    calendar = weekly("X", NEW_YORK, NYSE.week, holidays=frozenset(["2024-01-01"]))
    pair = calendar.bounds(parse("2d"), ns("2024-01-05T10:00", NEW_YORK))
    # Trading days 1 and 2 are Tuesday and Wednesday, 3 and 4 Thursday and Friday.
    assert pair == (ns("2024-01-04T09:30", NEW_YORK), ns("2024-01-05T16:00", NEW_YORK))


def test_candles_stop_at_the_lunch_break_and_start_again_behind_it():
    zone = "Asia/Hong_Kong"
    assert HONG_KONG.segment(ns("2024-01-02T12:30", zone)) is None
    assert HONG_KONG.bounds(parse("2h"), ns("2024-01-02T11:45", zone)) == (
        ns("2024-01-02T11:30", zone),
        ns("2024-01-02T12:00", zone),
    )
    assert HONG_KONG.bounds(parse("2h"), ns("2024-01-02T13:00", zone))[0] == ns("2024-01-02T13:00", zone)
    assert HONG_KONG.bounds(parse("1d"), ns("2024-01-02T13:00", zone)) == (
        ns("2024-01-02T09:30", zone),
        ns("2024-01-02T16:00", zone),
    )


def test_join_breaks_counts_trading_minutes_over_the_breaks_of_a_day():
    zone = "Asia/Shanghai"
    day = candles_of(CHINA_FUTURES, "1h", ns("2024-01-05T18:00", zone), ns("2024-01-08T18:00", zone))
    expected = [
        ("2024-01-05T21:00", "2024-01-05T22:00"), ("2024-01-05T22:00", "2024-01-05T23:00"),
        ("2024-01-08T09:00", "2024-01-08T10:00"), ("2024-01-08T10:00", "2024-01-08T11:15"),
        ("2024-01-08T11:15", "2024-01-08T14:15"), ("2024-01-08T14:15", "2024-01-08T15:00"),
    ]  # fmt: skip
    assert day == [(ns(a, zone), ns(b, zone)) for a, b in expected]


def test_friday_night_belongs_to_mondays_trading_day():
    assert CHINA_FUTURES.day(ns("2024-01-05T21:30", "Asia/Shanghai")).label == "2024-01-08"


# ---- overnight, over the clock change ---------------------------------------------------------------
def test_an_fx_day_opens_at_17_in_new_york_of_the_eve_and_the_calendar_names_it():
    sunday = ns("2024-06-02T17:00", NEW_YORK)
    assert FX.segment(sunday - 1) is None
    assert FX.day(sunday).label == "2024-06-03"
    assert FX.bounds(parse("1d"), sunday) == (sunday, sunday + 24 * HOUR)
    assert FX.bounds(parse("1w"), sunday) == (sunday, ns("2024-06-07T17:00", NEW_YORK))
    assert FX.next_open(ns("2024-06-07T17:00", NEW_YORK)) == ns("2024-06-09T17:00", NEW_YORK)


def test_an_fx_day_moves_in_utc_with_the_clocks_of_new_york():
    winter, summer = FX.next_open(ns("2024-03-09T00:00")), FX.next_open(ns("2024-03-16T00:00"))
    assert (winter, summer) == (ns("2024-03-10T21:00"), ns("2024-03-17T21:00"))
    # Friday's day before the change opened an hour later in UTC.
    assert FX.bounds(parse("1d"), ns("2024-03-08T12:00"))[0] == ns("2024-03-07T22:00")


def test_cme_rests_for_an_hour_a_day():
    assert CME.segment(ns("2024-06-03T16:30", "America/Chicago")) is None
    assert CME.day(ns("2024-06-03T17:00", "America/Chicago")).label == "2024-06-04"


# ---- auctions ---------------------------------------------------------------------------------------
def test_an_auction_print_counts_at_the_first_open_of_the_day_only():
    zone = "Asia/Hong_Kong"
    calendar = weekly("X", zone, HONG_KONG.week, auction=20 * MINUTE)
    opens = ns("2024-01-02T09:30", zone)
    assert calendar.admit(opens - 20 * MINUTE) == opens
    assert calendar.admit(opens - 20 * MINUTE - 1) is None
    assert calendar.admit(ns("2024-01-02T12:50", zone)) is None
    assert HONG_KONG.admit(opens - 1) is None


# ---- tables -----------------------------------------------------------------------------------------
def as_table(calendar, first, last):
    days, ts = [], calendar.next_open(first)
    while ts is not None and ts < last:
        day = calendar.day(ts)
        days.append(day)
        ts = calendar.next_open(day.close)
    return SessionCalendar(
        name="table", zone=calendar.zone, days=tuple(days), join_breaks=calendar.join_breaks
    )


TABLES = {
    c.name: as_table(c, ns("2024-01-01"), ns("2025-01-01")) for c in (NYSE, HONG_KONG, CHINA_FUTURES, FX)
}


@given(
    st.sampled_from([NYSE, HONG_KONG, CHINA_FUTURES, FX]),
    st.integers(ns("2024-01-15"), ns("2024-12-15")),
    st.sampled_from(["1s", "7m", "1h", "5h", "1d", "1w", "1M"]),
)
def test_a_table_of_days_answers_as_the_rule_it_was_made_from(calendar, ts, timeframe):
    table, frame = TABLES[calendar.name], parse(timeframe)
    assert table.segment(ts) == calendar.segment(ts)
    assert table.next_open(ts) == calendar.next_open(ts)
    if ns("2024-02-01") <= ts < ns("2024-12-01"):
        assert table.bounds(frame, ts) == calendar.bounds(frame, ts)


def test_beyond_its_horizon_a_table_knows_no_session():
    table = TABLES["NYSE"]
    assert table.horizon == ns("2024-12-31T16:00", NEW_YORK)
    assert table.next_open(table.horizon) is None
    assert table.segment(ns("2025-01-06T12:00", NEW_YORK)) is None
    assert NYSE.horizon is None


@pytest.mark.parametrize("calendar", [always(), always(NEW_YORK), NYSE, CHINA_FUTURES, TABLES["FX"]])
def test_a_calendar_travels_as_plain_values(calendar):
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(msgspec.to_builtins(calendar)))
    assert msgspec.convert(plain, SessionCalendar) == calendar


@given(
    st.sampled_from([always(), always(NEW_YORK), NYSE, HONG_KONG, CHINA_FUTURES, FX, CME]),
    st.integers(ns("2024-01-01"), ns("2024-12-31")),
    st.sampled_from(["1s", "7m", "45m", "1h", "5h", "24h", "1d", "2d", "1w", "1M"]),
)
def test_candles_hold_their_instant_and_follow_each_other(calendar, ts, timeframe):
    frame = parse(timeframe)
    start = calendar.next_open(ts)
    opens, closes = calendar.bounds(frame, start)
    assert opens <= start < closes
    assert calendar.bounds(frame, opens) == (opens, closes)
    following = calendar.next_open(closes)
    assert calendar.bounds(frame, following)[0] == following
    if frame.span is not None and not calendar.join_breaks:
        assert closes - opens <= frame.span
        assert calendar.segment(opens)[1] >= closes


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"zone": "Mars/Olympus", "week": always().week}, "'Mars/Olympus' is no IANA time zone"),
        ({"zone": "../etc/passwd", "week": always().week}, "is no IANA time zone"),
        ({}, "either a week or a table"),
        ({"week": (WeeklySegment(0, 10, 5),)}, "must ascend"),
        ({"days": (TradingDay("2024-01-02", ((5, 9), (8, 12))),)}, "must ascend"),
        ({"week": always().week, "special": {"2024-01-01": ((9, 9),)}}, "must ascend"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused_by_name_in_one_line(fields, what):
    with pytest.raises(CalendarError) as caught:
        SessionCalendar(name="odd", **fields)
    assert "'odd'" in str(caught.value)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)
