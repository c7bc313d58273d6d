"""When a deployment is to run by the clock on the wall: windows of the week in a time zone. Pure.

``phase(schedule, now, sessions)`` says whether an instant is inside, and when that changes. Instants are unix
nanoseconds, UTC.

A window begins on its days at ``start`` and lasts until ``end``, on the next day where that is not later. Its
edges are local times, read as RFC 5545 (3.3.5) reads them: one that the change to summer time skips is read
by the offset before the gap, so 01:30 in London is 02:30 on that day; one that comes twice is the first. A
window that is all within the gap is left out. Windows that overlap or touch are one.

With a calendar, a window is left out where the exchange holds no session on the day on which it begins, nor
any during it: Sunday evening is open where Monday's session begins then, and closed where Monday is a
holiday. Early closes and hours of the exchange are not looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from bus.sessions import SessionCalendar, Span
from bus.timeframes import SECOND

REACHES: Final = (8, 40)
"""Days that are looked ahead, the second number where the first does not suffice."""
MINUTES: Final = 24 * 60
DAY_NAMES: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Doing: TypeAlias = Literal["stop", "pause"]


class Window(Struct, frozen=True):
    """Some hours of some days: ``days`` from Monday 0, ``start`` and ``end`` minutes from local midnight.

    ``end`` at or before ``start`` is on the next day; 1440 is the midnight that ends the day.
    """

    days: tuple[int, ...]
    start: int
    end: int


class Schedule(Struct, frozen=True, kw_only=True):
    """The windows of one deployment, and what is done with it outside of them.

    ``calendar`` is an exchange whose holidays it keeps, "" for none.
    """

    zone: str
    windows: tuple[Window, ...]
    calendar: str = ""
    outside: Doing = "stop"


class Sessions(Struct, frozen=True):
    """On which days an exchange trades: labels (ISO dates), and the spans of its trading days, ascending."""

    labels: frozenset[str]
    spans: tuple[Span, ...]

    def any(self, day: date, span: Span) -> bool:
        """Whether there is a session of ``day``, or one during ``span``."""
        if day.isoformat() in self.labels:
            return True
        place = bisect_right(self.spans, span[0], key=lambda one: one[1])
        return place < len(self.spans) and self.spans[place][0] < span[1]


class Phase(Struct, frozen=True):
    """Inside or outside, until an instant; None: for longer than is looked ahead (40 days)."""

    inside: bool
    until: int | None


def sessions_of(calendar: SessionCalendar) -> Sessions:
    """Return the trading days of an exchange; ``ValueError`` for a calendar that is a rule without any."""
    if not calendar.days:
        raise ValueError(f"calendar {calendar.name!r} has no holidays; name an exchange such as XLON or XNYS")
    spans = tuple((day.open, day.close) for day in calendar.days)
    return Sessions(frozenset(day.label for day in calendar.days), spans)


def load(stored: dict[str, Any]) -> Schedule:
    """Return the schedule that ``dump`` made plain.

    Raises ``ValueError`` for what is none, ``LookupError`` for a time zone that this host does not know.
    """
    schedule = msgspec.convert(stored, Schedule)
    ZoneInfo(schedule.zone)
    return schedule


def dump(schedule: Schedule) -> dict[str, Any]:
    """Return ``schedule`` as it is stored."""
    plain: dict[str, Any] = msgspec.to_builtins(schedule)
    return plain


def phase(schedule: Schedule, now: int, sessions: Sessions | None = None) -> Phase:
    """Return whether ``now`` is inside a window, and when that ends."""
    zone = ZoneInfo(schedule.zone)
    today = datetime.fromtimestamp(now // SECOND, zone).date()
    found = Phase(inside=False, until=None)
    for reach in REACHES:
        known = _instant(today + timedelta(days=reach), 0, zone)
        found = _at(now, sorted(_spans(schedule, today, reach, zone, sessions)))
        if found.until is not None and found.until < known:
            return found
    return Phase(found.inside, None)


def _at(now: int, spans: list[Span]) -> Phase:
    """Return the phase by windows that begin in this order."""
    until: int | None = None
    for begins, ends in spans:
        if ends <= now:
            continue
        if begins > (now if until is None else until):
            return Phase(inside=False, until=begins) if until is None else Phase(inside=True, until=until)
        until = ends if until is None else max(until, ends)
    return Phase(inside=until is not None, until=until)


def _spans(
    schedule: Schedule, today: date, reach: int, zone: ZoneInfo, sessions: Sessions | None
) -> Iterator[Span]:
    """The windows from the day before yesterday on: over midnight and a skipped day, they may last."""
    for number in range(-2, reach + 2):
        day = today + timedelta(days=number)
        for window in schedule.windows:
            if day.weekday() not in window.days:
                continue
            end = window.end if window.end > window.start else window.end + MINUTES
            span = _instant(day, window.start, zone), _instant(day, end, zone)
            if span[0] < span[1] and (sessions is None or sessions.any(day, span)):
                yield span


def _instant(day: date, minutes: int, zone: ZoneInfo) -> int:
    # fold=0, the default, is the rule of RFC 5545 (PEP 495).
    days, rest = divmod(minutes, MINUTES)
    later = day + timedelta(days=days)
    wall = datetime(later.year, later.month, later.day, rest // 60, rest % 60, tzinfo=zone)
    return int(wall.timestamp()) * SECOND


def until_text(schedule: Schedule, until: int | None, now: int) -> str:
    """Say when a phase ends: ``until Mon 09:00 Europe/London``, with the date where that is a week away."""
    if until is None:
        return "for more than a month"
    zone = ZoneInfo(schedule.zone)
    then, today = (datetime.fromtimestamp(at // SECOND, zone) for at in (until, now))
    day = DAY_NAMES[then.weekday()].title()
    if (then.date() - today.date()).days >= len(DAY_NAMES):
        day = f"{day} {then:%Y-%m-%d}"
    return f"until {day} {then:%H:%M} {schedule.zone}"


def inside_text(schedule: Schedule, found: Phase, now: int) -> str:
    """Say that a deployment is inside its schedule, and until when."""
    return f"inside its schedule {until_text(schedule, found.until, now)}"


def outside_text(schedule: Schedule, found: Phase, now: int) -> str:
    """Say that a deployment is outside its schedule, and until when."""
    return f"outside its schedule {until_text(schedule, found.until, now)}"
