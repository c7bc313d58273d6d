"""A schedule as it is asked for, as it is looked at, as it is told."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from supervisor.schedule import Schedule, Window, dump, load
from supervisor.schedule_views import schedule_of, text_of
from supervisor.schema.schedules import ScheduleRequest


def request(**more) -> dict:
    return {
        "zone": "UTC",
        "windows": [{"days": ["fri", "mon", "fri"], "start": "22:00", "end": "02:00"}],
        **more,
    }


def test_a_request_is_what_is_looked_at_and_outlives_the_store():
    asked = ScheduleRequest.model_validate(request(calendar="XLON", outside="pause"))
    expected = Schedule(
        zone="UTC", windows=(Window((0, 4), 22 * 60, 2 * 60),), calendar="XLON", outside="pause"
    )
    assert expected == load(dump(schedule_of(asked)))


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ((0, 1, 2, 3, 4), "mon-fri"), ((5, 6), "sat,sun"), ((0, 2, 3, 4, 6), "mon,wed-fri,sun"),
        ((0, 1, 2, 3, 4, 5, 6), "daily"), ((3,), "thu"),
    ],
)  # fmt: skip
def test_days_are_told_as_people_write_them(days, text):
    schedule = Schedule(zone="Europe/London", windows=(Window(days, 540, 1440),), calendar="XLON")
    assert f"{text} 09:00-24:00 Europe/London, not on holidays of XLON, outside: stop" == text_of(schedule)


def wrong(**more) -> str:
    with pytest.raises(ValidationError) as raised:
        ScheduleRequest.model_validate(request(**more))
    return str(raised.value)


def test_what_is_wrong_is_told_by_its_name():
    assert "is no IANA time zone; such are Europe/London" in wrong(zone="Europe/Londn")
    assert "is no IANA time zone" in wrong(zone="../../etc/passwd")
    whole_day = [{"days": ["mon"], "start": "09:00", "end": "09:00"}]
    assert "from 09:00 to 09:00 is no time; a whole day is 00:00 to 24:00" in wrong(windows=whole_day)
    assert "windows.0.start" in wrong(windows=[{"days": ["mon"], "start": "24:00", "end": "09:00"}])
    assert "windows.0.days.0" in wrong(windows=[{"days": ["monday"], "start": "08:00", "end": "09:00"}])
    assert "windows" in wrong(windows=[])
    assert "outside" in wrong(outside="kill")
