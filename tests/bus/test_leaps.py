"""A quiet market and a hole: told apart by the trading time that a step passes over."""

from __future__ import annotations

import pytest

from bus.leaps import is_hole
from bus.sessions import SessionCalendar, WeeklySegment, always

HOUR = 3600 * 10**9
MONDAY = 1_700_438_400 * 10**9
"""2023-11-20 00:00 UTC."""
ALWAYS = always()
OFFICE = SessionCalendar(
    name="office", zone="UTC", week=tuple(WeeklySegment(day, 9 * 3600, 17 * 3600) for day in range(5))
)


@pytest.mark.parametrize(
    ("calendar", "since", "until", "hole"),
    [
        (ALWAYS, 0, 8, False),  # as much as is allowed
        (ALWAYS, 0, 9, True),
        (OFFICE, 9, 17, False),
        (OFFICE, 9, 24 + 9, False),  # the night is no trading time
        (OFFICE, 9, 24 + 10, True),
        (OFFICE, 4 * 24 + 9, 7 * 24 + 9, False),  # nor is a weekend
        (OFFICE, 4 * 24 + 9, 7 * 24 + 10, True),
        (OFFICE, 18, 20, False),
    ],
)
def test_more_than_eight_hours_of_trading_are_a_hole(calendar, since, until, hole):
    assert hole is is_hole(calendar, MONDAY + since * HOUR, MONDAY + until * HOUR, 8 * HOUR)
