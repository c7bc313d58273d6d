"""Phases of trading days: four a day, in one order, each once, whatever the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.session_phases import BEFORE, NAMES, Phase, is_phase, next_phase, phase_of, phases
from bus.sessions import SessionCalendar, TradingDay, WeeklySegment, always, at, overnight, weekly
from bus.timeframes import MINUTE

HOURS = (("09:30", "12:00"), ("13:00", "16:00"))
FX = overnight("FX", "America/New_York", "17:00", "17:00")
LUNCH = weekly(
    "XHKG", "Asia/Hong_Kong",
    [WeeklySegment(day, at(a), at(b)) for day in range(5) for a, b in HOURS],
    special={"2024-07-03": ((at("09:30"), at("09:40")),)},
    holidays=frozenset({"2024-07-01"}),
)  # fmt: skip
TABLE = SessionCalendar(
    name="table",
    days=tuple(day for day in LUNCH.days_from(1_719_000_000 * 10**9) if day.label < "2024-07-15"),
)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def told(calendar: SessionCalendar, since: str, count: int) -> list[tuple[str, str, str]]:
    """What is told from an instant on: (UTC time, phase, day)."""
    found, after = [], Phase(ns(since), "", 0)
    for _ in range(count):
        phase = next_phase(calendar, after)
        assert phase is not None
        after = phase
        when = datetime.fromtimestamp(phase.at // 10**9, UTC).strftime("%d %H:%M")
        found.append((when, phase.name, phase.day))
    return found


def test_a_day_with_a_break_has_four_and_a_holiday_none():
    assert [
        ("02 01:15", "pre_open", "2024-07-02"),
        ("02 01:30", "open", "2024-07-02"),
        ("02 07:45", "pre_close", "2024-07-02"),
        ("02 08:00", "close", "2024-07-02"),
    ] == told(LUNCH, "2024-06-28T08:00:01", 4)


def test_of_a_day_shorter_than_that_the_close_is_near_when_it_opens():
    assert [
        ("03 01:15", "pre_open", "2024-07-03"),
        ("03 01:30", "open", "2024-07-03"),
        ("03 01:30", "pre_close", "2024-07-03"),
        ("03 01:40", "close", "2024-07-03"),
    ] == told(LUNCH, "2024-07-03T00:00:00", 4)


@pytest.mark.parametrize(
    ("calendar", "before", "then"), [(FX, "02 20:45", "02 21:00"), (always(), "02 23:45", "03 00:00")]
)
def test_where_one_day_closes_as_the_next_opens_the_older_comes_first(calendar, before, then):
    assert [
        (before, "pre_close", "2024-07-02"),
        (before, "pre_open", "2024-07-03"),
        (then, "close", "2024-07-02"),
        (then, "open", "2024-07-03"),
    ] == told(calendar, "2024-07-02T20:00:00", 4)


def test_over_a_weekend_and_a_change_of_the_clocks_days_are_the_markets():
    """FX opens on Sunday 17:00 in New York: an hour earlier by UTC from 10 March 2024 on."""
    assert [
        ("08 22:00", "close", "2024-03-08"),
        ("10 20:45", "pre_open", "2024-03-11"),
        ("10 21:00", "open", "2024-03-11"),
    ] == told(FX, "2024-03-08T21:50:00", 3)


def test_beyond_the_end_of_a_table_there_is_none():
    last = TABLE.days[-1]
    close = phases(last)[-1]
    assert close == next_phase(TABLE, phases(last)[2])
    assert next_phase(TABLE, close) is None


@given(
    calendar=st.sampled_from([FX, LUNCH, always(), always("Asia/Kolkata")]),
    since=st.integers(1_700_000_000, 1_730_000_000),
    step=st.integers(1, 40),
)
def test_from_any_instant_each_is_told_once_and_in_order(calendar, since, step):
    start = Phase(since * 10**9, "", 0)
    chain, after = [], start
    for _ in range(step):
        after = next_phase(calendar, after)
        chain.append(after)
    assert all(a < b and a.at <= b.at for a, b in pairwise(chain))
    days: list[TradingDay] = []
    for day in calendar.days_from(start.at - 1):
        days.append(day)
        if day.open - BEFORE > chain[-1].at:
            break
    every = sorted(phase for day in days for phase in phases(day) if start < phase <= chain[-1])
    assert every == chain


@given(day=st.dates(date(1971, 1, 1)), rank=st.integers(0, 3), when=st.integers(0, 2**62))
def test_its_timer_tells_which_it_is(day, rank, when):
    phase = Phase(when, day.isoformat(), rank)
    assert is_phase(phase.timer)
    assert len(phase.timer) <= 64
    assert (phase, NAMES[rank]) == (phase_of(phase.timer, when), phase.name)


@pytest.mark.parametrize(
    "timer",
    ["", "poll", "stratd:session", "stratd:session:", "stratd:session:noon:2024-01-01", "open:2024"],
)
def test_other_timers_are_none(timer):
    with pytest.raises(ValueError, match="no phase of a session"):
        phase_of(timer, 5)


def test_the_time_before_is_the_one_that_is_documented():
    assert 15 * MINUTE == BEFORE
