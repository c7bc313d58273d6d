"""Calendars by name: rules in milliseconds, exchanges from a short-lived process (2026 in all tests)."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from bus.sessions import CalendarError, SessionCalendar
from bus.timeframes import DAY, HOUR, MINUTE, SECOND, parse
from supervisor import calendars
from supervisor.calendars import UnknownCalendarError, horizon_warning, load, tables
from supervisor.control import Configure

TODAY = date(2026, 6, 15)


def at(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("calendars")


def test_the_empty_name_is_round_the_clock_in_utc(tmp_path):
    (calendar,) = load([""], tmp_path, TODAY).values()
    assert calendar.bounds(parse("1d"), at("2026-06-15T12:00")) == (at("2026-06-15"), at("2026-06-16"))


@pytest.mark.parametrize(
    ("name", "opens", "closes"),
    [
        ("24x7@Asia/Kolkata", "2026-06-14T18:30", "2026-06-15T18:30"),
        ("24x7@UTC-05:00", "2026-06-15T05:00", "2026-06-16T05:00"),
        ("FX", "2026-06-14T21:00", "2026-06-15T21:00"),
        ("FX@UTC-05:00", "2026-06-14T22:00", "2026-06-15T22:00"),
    ],
)
def test_weekly_calendars_by_name_need_no_process(name, opens, closes, tmp_path, monkeypatch):
    monkeypatch.setattr(subprocess, "run", None)
    calendar = load([name], tmp_path, TODAY)[name]
    assert calendar.bounds(parse("1d"), at("2026-06-15T12:00")) == (at(opens), at(closes))


@pytest.mark.parametrize("name", ["24x7@Mars/Olympus", "FX@UTC+05:30", "24x7@UTC+13"])
def test_a_zone_that_is_none_is_refused_by_name(name, tmp_path):
    with pytest.raises(CalendarError, match=name.partition("@")[2].replace("+", r"\+")):
        load([name], tmp_path, TODAY)


@pytest.mark.system
def test_exchanges_with_half_days_and_lunch_breaks(cache):
    found = load(["XNYS", "XHKG", "NSE"], cache, TODAY)
    zone = "America/New_York"
    half_day = found["XNYS"].day(at("2026-11-27T10:00", zone))
    assert half_day.segments == ((at("2026-11-27T09:30", zone), at("2026-11-27T13:00", zone)),)
    assert found["XNYS"].segment(at("2026-07-03T10:00", zone)) is None  # Independence Day, observed
    zone = "Asia/Hong_Kong"
    assert found["XHKG"].day(at("2026-06-15T10:00", zone)).segments == (
        (at("2026-06-15T09:30", zone), at("2026-06-15T12:00", zone)),
        (at("2026-06-15T13:00", zone), at("2026-06-15T16:00", zone)),
    )
    zone = "Asia/Kolkata"
    hour = found["NSE"].bounds(parse("1h"), at("2026-06-15T15:20", zone))
    assert hour == (at("2026-06-15T15:15", zone), at("2026-06-15T15:30", zone))


@pytest.mark.system
def test_options_follow_the_name(cache):
    found = load(["XHKG+join_breaks", "NSE+auction"], cache, TODAY)
    zone = "Asia/Hong_Kong"
    joined = found["XHKG+join_breaks"].bounds(parse("2h"), at("2026-06-15T11:45", zone))
    assert joined == (at("2026-06-15T11:30", zone), at("2026-06-15T14:30", zone))
    early = at("2026-06-15T09:07", "Asia/Kolkata")
    assert found["NSE+auction"].admit(early) == early + 8 * MINUTE


@pytest.mark.system
def test_a_kept_table_is_used_again_until_it_is_a_week_old(cache, monkeypatch):
    first = load(["XNYS"], cache, TODAY)
    asked = []
    monkeypatch.setattr(calendars, "_ask", lambda names, today: asked.append(names) or {})
    assert load(["XNYS"], cache, date(2026, 6, 21)) == first
    assert asked == []
    load(["XNYS"], cache, date(2026, 6, 22))
    assert asked == [["XNYS"]]


@pytest.mark.system
def test_an_old_table_serves_when_no_new_one_can_be_made(cache, monkeypatch):
    first = load(["XNYS"], cache, TODAY)

    def fail(names, today):
        raise CalendarError("no pandas today")

    monkeypatch.setattr(calendars, "_ask", fail)
    assert load(["XNYS"], cache, date(2026, 12, 1)) == first
    with pytest.raises(CalendarError, match="no pandas today"):
        load(["XNYS", "XTKS"], cache, date(2026, 12, 1))


@pytest.mark.system
def test_a_damaged_cache_is_made_again(tmp_path):
    (tmp_path / "XNYS.msgpack").write_bytes(b"\xc1 not a table")
    assert load(["XNYS"], tmp_path, TODAY)["XNYS"].horizon > at("2026-12-31")


@pytest.mark.system
def test_an_unknown_name_lists_near_matches_in_one_line(tmp_path):
    with pytest.raises(UnknownCalendarError) as caught:
        load(["XNYC"], tmp_path, TODAY)
    message = str(caught.value)
    assert "'XNYC'" in message
    assert "XNYS" in message
    assert "\n" not in message


@pytest.mark.system
def test_tables_travel_to_the_engine_and_fit_one_datagram(cache):
    found = load(["XNYS", "FX"], cache, TODAY)
    wire = msgspec.msgpack.encode(Configure([], tables(found)))
    back = msgspec.msgpack.decode(wire, type=Configure)
    assert {k: msgspec.convert(v, SessionCalendar) for k, v in back.calendars.items()} == found
    assert len(wire) < 64 * 1024


@pytest.mark.system
def test_a_table_that_ends_within_30_days_is_worth_a_warning(cache):
    found = load(["XNYS", "FX"], cache, TODAY)
    end = found["XNYS"].horizon
    assert horizon_warning(found["XNYS"], end - 30 * DAY) is None
    assert "29 more days" in horizon_warning(found["XNYS"], end - 30 * DAY + HOUR)
    assert horizon_warning(found["FX"], end) is None


def test_the_module_itself_is_light():
    code = "import sys, supervisor.calendars; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
