"""Times as recordings write them, to int nanoseconds since the epoch, UTC. Exact: no float in between.

Numbers are seconds, milli-, micro- or nanoseconds, told apart by magnitude (1e11 s is the year 5138, so
nothing real is ambiguous after 1973). Text is ISO 8601 or one of the few other forms that cannot be
misread; ``02/03/2010`` can, and needs a format. Text without an offset is local time of one zone.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo

from bus.recordings.report import Cell, RowRefused

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
_EPOCH = date(1970, 1, 1).toordinal()
_QUARTER = 900 * SECOND
_LATEST = 2**63 - 1

_ISO = re.compile(
    r"(\d{4}([-/.]?)\d{2}\2\d{2})"  # date
    r"(?:[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,]?(\d{1,9}))?)?)?"  # time; HistData: 170000065
    r"\s*(Z|UTC|[+-]\d{2}:?\d{2})?"
)
_NAMED_MONTH = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{4}|\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2}))?)?")
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_FIXED = re.compile(r"(?:UTC|GMT)?([+-])(\d{2}):?(\d{2})")
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?")


def parse_zone(text: str) -> tzinfo:
    """Return the zone that ``text`` names: IANA (``Asia/Kolkata``) or a fixed offset (``UTC-05:00``).

    ``ValueError`` with one line that lists near matches.
    """
    if text.upper() in ("UTC", "Z"):
        return UTC
    if fixed := _FIXED.fullmatch(text):
        sign = -1 if fixed[1] == "-" else 1
        hours, minutes = int(fixed[2]), int(fixed[3])
        if hours <= 14 and minutes < 60:
            return timezone(sign * timedelta(hours=hours, minutes=minutes))
    try:
        return zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(text, sorted(zoneinfo.available_timezones()), n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise ValueError(
            f"timezone: {text!r} is neither an IANA name (Asia/Kolkata) nor an offset (UTC-05:00){hint}"
        ) from None


class LocalClock:
    """Turns wall-clock time of one zone into UTC; remembers the offset of the last quarter of an hour.

    Every change of an offset in the zone database since 1970 falls on a quarter of an hour. An hour that
    a clock shows twice is taken as its first, one that it skips as if it had not changed (PEP 495, fold 0).
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._quarter = -1
        self._offset = 0

    def utc(self, wall: int) -> int:
        """Return UTC ns of ``wall``, which is ns since the epoch as that zone's own clock counts."""
        quarter = wall // _QUARTER
        if quarter != self._quarter:
            local = datetime(1970, 1, 1, tzinfo=self._zone) + timedelta(seconds=quarter * 900)
            offset = local.utcoffset() or timedelta()
            self._offset = round(offset.total_seconds()) * SECOND
            self._quarter = quarter
        return wall - self._offset


def from_number(whole: int, fraction: str = "") -> int:
    """Return ns of a number of s, ms, us or ns, told apart by magnitude; ``fraction`` is its decimals."""
    for below, unit in ((10**11, SECOND), (10**14, 10**6), (10**17, 10**3)):
        if whole < below:
            digits = len(str(unit)) - 1
            return whole * unit + int(fraction[:digits].ljust(digits, "0"))
    return whole


class TimeReader:
    """Reads the time cells of one file.

    ``zone`` is that of text without an offset; ``date_format`` a ``strptime`` format that replaces every
    recognised form, for dates such as ``02/03/2010``.
    """

    def __init__(self, zone: tzinfo, date_format: str | None = None) -> None:
        self._clock = LocalClock(zone)
        self._format = date_format
        self._date = ""
        self._midnight = 0

    def read(self, cell: Cell) -> int:
        """Return ns of one cell; ``RowRefused`` with reason ``bad time`` if it is no time."""
        try:
            ns = self._text(cell.strip()) if isinstance(cell, str) else self._number(cell)
        except (ValueError, OverflowError):
            hint = (
                "; say how it is written, such as --date-format '%d/%m/%Y %H:%M:%S'"
                if "/" in str(cell)
                else ""
            )
            raise RowRefused("bad time", f"{cell!r} is not a time{hint}") from None
        if not 0 < ns <= _LATEST:
            raise RowRefused("bad time", f"{cell!r} is not between 1970 and 2262")
        return ns

    def _number(self, cell: float | None) -> int:
        if cell is None:
            raise ValueError
        if isinstance(cell, int):
            return from_number(cell)
        # repr is the shortest text that is the same float: 1700000000.123456 stays what was written.
        text = repr(cell) if cell < 10**16 else f"{cell:.0f}"
        whole, _, fraction = text.partition(".")
        return from_number(int(whole), fraction)

    def _text(self, text: str) -> int:
        if self._format is not None:
            return self._formatted(text)
        if text.isdecimal() and len(text) == 14 and text[:2] in ("19", "20"):
            text = f"{text[:8]} {text[8:]}"  # 20200131173000, not a time in the year 2610
        if (not text.isdecimal() or len(text) == 8) and (found := _ISO.fullmatch(text)):
            return self._iso(found)
        if found := _NUMBER.fullmatch(text):
            return from_number(int(found[1]), found[2] or "")
        if found := _NAMED_MONTH.fullmatch(text):
            day, month, year, *clock = found.groups()
            # Two digits as POSIX strptime has them: 69-99 is 19xx, 00-68 is 20xx.
            full = int(year) + (0 if len(year) == 4 else 1900 if int(year) >= 69 else 2000)
            days = date(full, _MONTHS.get(month.lower(), 0), int(day)).toordinal() - _EPOCH
            hours, minutes, seconds = (int(part or 0) for part in clock)
            return self._clock.utc(days * DAY + _span(hours, minutes, seconds))
        raise ValueError

    def _iso(self, found: re.Match[str]) -> int:
        day, separator, hours, minutes, seconds, fraction, zone = found.groups()
        if day != self._date:
            digits = day.replace(separator, "") if separator else day
            ordinal = date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).toordinal()
            self._date, self._midnight = day, (ordinal - _EPOCH) * DAY
        wall = self._midnight + _span(int(hours or 0), int(minutes or 0), int(seconds or 0))
        if fraction:
            wall += int(fraction.ljust(9, "0"))
        if zone is None:
            return self._clock.utc(wall)
        if zone in ("Z", "UTC"):
            return wall
        offset = _span(int(zone[1:3]), int(zone[-2:]), 0)
        return wall + offset if zone[0] == "-" else wall - offset

    def _formatted(self, text: str) -> int:
        moment = datetime.strptime(text, self._format or "")  # noqa: DTZ007  # the zone comes right below
        if moment.tzinfo is not None:
            return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
        wall = (moment - datetime(1970, 1, 1)) // timedelta(microseconds=1) * 1000  # noqa: DTZ001  # wall clock
        return self._clock.utc(wall)


def _span(hours: int, minutes: int, seconds: int) -> int:
    if hours > 23 or minutes > 59 or seconds > 60:
        raise ValueError
    return (hours * 3600 + minutes * 60 + seconds) * SECOND
