from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.sessions import SessionCalendar, TradingDay, WeeklySegment, always, at, overnight, weekly
from strategies.trading.hours import EARLY, MINUTE, Hours, session, square_off_at
from strategies.trading.ttl import SECOND
from strategies.trading.view import Session

NSE = weekly(
    "NSE", "Asia/Kolkata", [WeeklySegment(day, at("09:15"), at("15:30")) for day in range(5)],
    special={"2024-03-14": ((at("09:15"), at("13:00")),)},
)  # fmt: skip
FX = overnight("FX", "America/New_York", "17:00", "17:00")
TOKYO = weekly(
    "TSE", "Asia/Tokyo",
    [
        WeeklySegment(day, at(opens), at(closes))
        for day in range(5)
        for opens, closes in (("09:00", "11:30"), ("12:30", "15:00"))
    ],
)  # fmt: skip
SQUARE_OFF = 15 * 60 + 15


def local(text, zone="Asia/Kolkata"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


def test_in_session_the_day_ends_at_its_close():
    assert session(NSE, local("2024-03-13T10:00"), SQUARE_OFF) == Session(
        open=True,
        closes_at=local("2024-03-13T15:30"),
        minute=600,
        square_off_at=local("2024-03-13T15:15"),
    )


@pytest.mark.parametrize(
    ("now", "closes_at"),
    [
        ("2024-03-13T09:14:59", "2024-03-13T15:30"),
        ("2024-03-13T15:30", "2024-03-14T13:00"),
        ("2024-03-15T16:00", "2024-03-18T15:30"),  # Friday evening
    ],
)
def test_out_of_session_a_day_order_lives_until_the_next_close(now, closes_at):
    answer = session(NSE, local(now))
    assert (answer.open, answer.closes_at, answer.square_off_at) == (False, local(closes_at), 0)


def test_a_break_is_out_of_session_and_the_day_goes_on():
    answer = session(TOKYO, local("2024-03-13T12:00", "Asia/Tokyo"))
    assert (answer.open, answer.closes_at) == (False, local("2024-03-13T15:00", "Asia/Tokyo"))


def test_the_first_instant_is_in_session_and_the_last_is_not():
    assert session(NSE, local("2024-03-13T09:15")).open is True
    assert session(NSE, local("2024-03-13T15:30") - 1).open is True
    assert session(NSE, local("2024-03-13T15:30")).open is False


def test_a_day_that_closes_early_is_squared_off_before_it_does():
    answer = session(NSE, local("2024-03-14T10:00"), SQUARE_OFF)
    assert answer.square_off_at == local("2024-03-14T13:00") - EARLY == local("2024-03-14T12:55")


@pytest.mark.parametrize(
    ("minute", "expected"),
    [
        (16 * 60 + 45, "2024-03-13T16:45"),
        (17 * 60, "2024-03-12T17:00"),  # the eve, when Wednesday's day opens
        (17 * 60 + 1, "2024-03-12T17:01"),
        (0, "2024-03-13T00:00"),
    ],
)
def test_a_day_that_begins_on_the_eve_has_each_time_once(minute, expected):
    day = FX.day(local("2024-03-13T12:00", "America/New_York"))
    assert square_off_at(FX, day, minute) == local(expected, "America/New_York")


def test_a_day_shorter_than_the_time_before_its_close_is_squared_off_as_it_opens():
    opens = local("2024-03-13T10:00")
    day = TradingDay("2024-03-13", ((opens, opens + MINUTE),))
    assert square_off_at(NSE, day, SQUARE_OFF) == opens


def test_round_the_clock_a_day_is_a_local_day():
    noon = local("2024-03-13T12:00", "UTC")
    assert session(always(), noon, SQUARE_OFF) == Session(
        open=True,
        closes_at=local("2024-03-14T00:00", "UTC"),
        minute=720,
        square_off_at=local("2024-03-13T15:15", "UTC"),
    )


def test_where_clocks_are_put_back_the_first_of_both_times_counts():
    berlin = always("Europe/Berlin")
    noon = local("2024-10-27T12:00", "Europe/Berlin")
    assert session(berlin, noon, 150).square_off_at == local("2024-10-27T02:30", "Europe/Berlin")
    assert session(berlin, noon, 720).square_off_at == noon


TABLE = SessionCalendar(
    name="T", zone="Asia/Kolkata",
    days=(TradingDay("2024-03-13", ((local("2024-03-13T09:15"), local("2024-03-13T15:30")),)),),
)  # fmt: skip


def test_beyond_the_end_of_a_table_it_is_not_known():
    end = local("2024-03-13T15:30")
    assert session(TABLE, end - 1).open is True
    assert session(TABLE, end, SQUARE_OFF) == Session(open=None, minute=930)


def test_before_a_table_begins_it_is_closed_until_it_does():
    assert session(TABLE, local("2024-03-01T10:00")) == Session(
        open=False, closes_at=local("2024-03-13T15:30"), minute=600
    )


# ---- kept answers ---------------------------------------------------------------------------------
def test_an_answer_is_kept_for_its_minute():
    hours, now = Hours(), local("2024-03-13T10:00")
    first = hours.of(NSE, now)
    assert hours.of(NSE, now + MINUTE - 1) is first
    assert hours.of(NSE, now + MINUTE).minute == 601
    assert hours.of(NSE, now - 1).minute == 599


def test_an_answer_ends_with_its_session_within_a_minute():
    opens = local("2024-03-13T10:00:20")
    odd = SessionCalendar(
        name="odd", zone="UTC", days=(TradingDay("2024-03-13", ((opens, opens + SECOND),)),)
    )
    hours = Hours()
    instants = (opens - 1, opens, opens + SECOND - 1, opens + SECOND)
    assert [hours.of(odd, now).open for now in instants] == [False, True, True, None]
    assert [hours.of(odd, now).open for now in reversed(instants)] == [None, True, True, False]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([NSE, FX, TOKYO, TABLE]),
            st.integers(local("2024-03-12T00:00") // MINUTE, local("2024-03-15T23:00") // MINUTE),
            st.integers(0, MINUTE - 1),
            st.sampled_from([None, 0, SQUARE_OFF]),
        ),
        max_size=40,
    )
)
def test_what_is_kept_is_what_would_be_found_anew(asked):
    hours = Hours()
    for calendar, minute, rest, square_off in asked:
        now = minute * MINUTE + rest
        assert hours.of(calendar, now, square_off) == session(calendar, now, square_off)
