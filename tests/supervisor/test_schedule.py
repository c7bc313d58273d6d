"""When a deployment is to run by the clock on the wall: pure, so every instant is an argument."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.sessions import SessionCalendar, TradingDay, always
from supervisor.schedule import (
    MINUTES,
    Phase,
    Schedule,
    Window,
    dump,
    load,
    outside_text,
    phase,
    sessions_of,
    until_text,
)

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
WORKDAYS = (0, 1, 2, 3, 4)
EVERY_DAY = (*WORKDAYS, 5, 6)
OFFICE = Schedule(zone="Europe/London", windows=(Window(WORKDAYS, 9 * 60, 17 * 60 + 30),))


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """Unix ns of a local time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * SECOND


def windows(zone: str, *given: tuple[int, int], days: tuple[int, ...] = EVERY_DAY) -> Schedule:
    """Windows of every day, edges in minutes."""
    return Schedule(zone=zone, windows=tuple(Window(days, *one) for one in given))


@pytest.mark.parametrize(
    ("now", "inside", "until"),
    [
        ("2026-11-18T08:59:59", False, "2026-11-18T09:00"),
        ("2026-11-18T09:00", True, "2026-11-18T17:30"),
        ("2026-11-18T17:29:59", True, "2026-11-18T17:30"),
        ("2026-11-18T17:30", False, "2026-11-19T09:00"),
        ("2026-11-20T20:00", False, "2026-11-23T09:00"),  # over the weekend
        ("2026-07-01T08:59", False, "2026-07-01T09:00"),  # in summer time
    ],
)
def test_inside_from_the_start_to_just_before_the_end(now, inside, until):
    expected = Phase(inside, at(until, "Europe/London"))
    assert expected == phase(OFFICE, at(now, "Europe/London"))


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins():
    night = windows("Asia/Kolkata", (22 * 60, 2 * 60), days=(4,))
    inside = Phase(inside=True, until=at("2026-11-21T02:00", "Asia/Kolkata"))
    assert inside == phase(night, at("2026-11-20T23:00", "Asia/Kolkata"))
    assert inside == phase(night, at("2026-11-21T01:59", "Asia/Kolkata"))
    assert phase(night, at("2026-11-20T01:00", "Asia/Kolkata")).inside is False, "Thursday has none"


def test_windows_that_touch_or_overlap_are_one():
    whole = windows("UTC", (0, MINUTES), days=WORKDAYS)
    assert Phase(inside=True, until=at("2026-11-21T00:00")) == phase(whole, at("2026-11-18T12:00"))
    overlapping = windows("UTC", (9 * 60, 12 * 60), (11 * 60, 15 * 60))
    assert Phase(inside=True, until=at("2026-11-18T15:00")) == phase(overlapping, at("2026-11-18T10:00"))


def test_what_never_ends_has_no_end_in_sight():
    assert Phase(inside=True, until=None) == phase(windows("UTC", (0, MINUTES)), at("2026-11-18T12:00"))


@pytest.mark.parametrize(
    ("start", "end", "begins", "ends"),
    [
        # 2026-03-29: London goes from 01:00 UTC+0 to 02:00 UTC+1. What is skipped is read by UTC+0.
        (30, 3 * 60, "2026-03-29T00:30", "2026-03-29T02:00"),
        (90, 3 * 60, "2026-03-29T01:30", "2026-03-29T02:00"),
        (30, 90, "2026-03-29T00:30", "2026-03-29T01:30"),
        # 2026-10-25: it goes back from 02:00 UTC+1 to 01:00 UTC+0. What comes twice is the first.
        (30, 3 * 60, "2026-10-24T23:30", "2026-10-25T03:00"),
        (90, 3 * 60, "2026-10-25T00:30", "2026-10-25T03:00"),
        (30, 90, "2026-10-24T23:30", "2026-10-25T00:30"),
    ],
)
def test_edges_on_the_days_of_a_change_of_time_are_read_as_rfc_5545_reads_them(start, end, begins, ends):
    schedule = windows("Europe/London", (start, end))
    assert Phase(inside=False, until=at(begins)) == phase(schedule, at(begins) - SECOND)
    assert Phase(inside=True, until=at(ends)) == phase(schedule, at(begins))
    assert Phase(inside=True, until=at(ends)) == phase(schedule, at(ends) - SECOND)
    assert phase(schedule, at(ends)).inside is False, "also when the hour comes a second time"


def test_a_window_that_the_change_leaves_nothing_of_is_left_out_that_day():
    schedule = windows("Europe/London", (75, 130))  # 01:15 is 01:15 UTC, 02:10 is 01:10 UTC
    assert Phase(inside=False, until=at("2026-03-30T00:15")) == phase(schedule, at("2026-03-29T00:00"))


LONDON = SessionCalendar(
    name="XLON",
    zone="Europe/London",
    days=tuple(
        TradingDay(day, ((at(f"{day}T08:00"), at(f"{day}T16:30")),))
        for day in ("2026-12-23", "2026-12-24", "2026-12-29", "2026-12-30", "2026-12-31")
    ),
)


def test_holidays_of_the_calendar_are_left_out():
    keeps = sessions_of(LONDON)
    closing = phase(OFFICE, at("2026-12-24T18:00"), keeps)
    assert Phase(inside=False, until=at("2026-12-29T09:00")) == closing
    assert phase(OFFICE, at("2026-12-25T12:00"), keeps).inside is False
    assert phase(OFFICE, at("2026-12-25T12:00")).inside is True, "without the calendar it is a Friday"


def test_behind_the_end_of_the_table_nothing_is_inside():
    assert Phase(inside=False, until=None) == phase(OFFICE, at("2027-01-04T12:00"), sessions_of(LONDON))


def test_an_evening_is_open_if_the_session_of_the_next_day_begins_in_it():
    monday = TradingDay("2026-11-23", ((at("2026-11-22T23:00"), at("2026-11-23T22:00")),))
    futures = sessions_of(SessionCalendar(name="CMES", zone="America/Chicago", days=(monday,)))
    evening = windows("America/Chicago", (17 * 60, 16 * 60))
    assert phase(evening, at("2026-11-23T01:00"), futures).inside is True
    assert phase(evening, at("2026-11-21T01:00"), futures).inside is False


def test_a_calendar_that_is_a_rule_has_no_holidays():
    with pytest.raises(ValueError, match="calendar '24x7' has no holidays; name an exchange"):
        sessions_of(always())


def test_a_schedule_is_stored_and_read_again():
    schedule = Schedule(zone="UTC", windows=OFFICE.windows, calendar="XLON", outside="pause")
    assert schedule == load(dump(schedule))
    with pytest.raises(LookupError, match="Nowhere"):
        load({**dump(schedule), "zone": "Nowhere"})
    with pytest.raises(ValueError, match="windows"):
        load({"zone": "UTC"})


def test_until_when_is_told_in_the_schedules_own_time():
    friday = at("2026-11-20T20:00")
    monday = at("2026-11-23T09:00")
    assert until_text(OFFICE, monday, friday) == "until Mon 09:00 Europe/London"
    christmas = until_text(OFFICE, at("2026-12-29T09:00"), friday)
    assert christmas == "until Tue 2026-12-29 09:00 Europe/London"
    assert outside_text(OFFICE, Phase(inside=False, until=None), friday) == (
        "outside its schedule for more than a month"
    )


# ---- what holds of any schedule -------------------------------------------------------------------
ZONES = st.sampled_from(
    ["UTC", "Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"]
)
WINDOWS = st.builds(
    Window,
    st.lists(st.integers(0, 6), min_size=1, max_size=7, unique=True).map(lambda days: tuple(sorted(days))),
    st.integers(0, MINUTES - 1),
    st.integers(1, MINUTES),
).filter(lambda window: window.start != window.end)
SCHEDULES = st.builds(Schedule, zone=ZONES, windows=st.lists(WINDOWS, min_size=1, max_size=4).map(tuple))
INSTANTS = st.datetimes(datetime(2018, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001  (made UTC here)
    lambda moment: int(moment.replace(tzinfo=UTC).timestamp()) * SECOND
)


@settings(max_examples=150, deadline=None)
@given(schedule=SCHEDULES, now=INSTANTS)
def test_a_phase_holds_until_its_end_and_not_a_moment_longer(schedule, now):
    found = phase(schedule, now)
    if found.until is None:
        return
    assert found.until > now
    assert phase(schedule, found.until).inside is not found.inside
    for moment in (now + (found.until - now) // 3, found.until - 1):
        assert found == phase(schedule, moment), "whenever it is asked: a clock that jumps comes to the same"


@settings(max_examples=150, deadline=None)
@given(schedule=SCHEDULES, now=INSTANTS)
def test_far_from_a_change_of_time_inside_is_what_the_clock_on_the_wall_says(schedule, now):
    zone = ZoneInfo(schedule.zone)
    local = datetime.fromtimestamp(now // SECOND, zone)
    days = [local + timedelta(days=number) for number in range(-3, 4)]
    if len({day.utcoffset() for day in days}) > 1:
        return
    minute = local.hour * 60 + local.minute
    yesterday = (local.weekday() - 1) % 7

    def covers(window: Window) -> bool:
        over = window.end <= window.start
        today = window.start <= minute and (over or minute < window.end)
        return (local.weekday() in window.days and today) or (
            over and yesterday in window.days and minute < window.end
        )

    assert any(map(covers, schedule.windows)) is phase(schedule, now).inside
