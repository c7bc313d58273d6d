"""Session calendars as plain tables: which trading day an instant belongs to, and where candles end.

Pure: no clock and no files; ``zoneinfo`` turns local wall times into UTC one day at a time, so a day
of a daylight-saving change has its 23 or 25 hours. A calendar is a frozen struct that msgspec carries
(``msgspec.to_builtins``, ``msgspec.convert``), either as a weekly rule or as a table of days. Instants
are int ns since the Unix epoch, UTC; segments are half open, ``[open, close)``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from bus.timeframes import SECOND, Timeframe

Span: TypeAlias = tuple[int, int]

_DAY_S = 86_400
_MEMO_DAYS = 4096  # a generated day costs some 10 us; forget all rather than grow for ever
_SEARCH_DAYS = 366  # no market is shut for longer


class CalendarError(ValueError):
    """A calendar makes no sense; the message is one line naming what."""


class TradingDay(Struct, frozen=True, array_like=True):
    """One trading day: its label (ISO date) and its segments in UTC ns, ascending, not empty."""

    label: str
    segments: tuple[Span, ...]

    @property
    def open(self) -> int:
        """Open of the first segment."""
        return self.segments[0][0]

    @property
    def close(self) -> int:
        """Close of the last segment."""
        return self.segments[-1][1]


class WeeklySegment(Struct, frozen=True, array_like=True):
    """One segment of every week, in local seconds from midnight of the date that labels its day.

    ``weekday`` is that date's, Monday 0. ``open`` is negative where trading begins the evening before:
    Monday's FX day opens on Sunday 17:00, which is ``-7 * 3600``. ``close`` may exceed 86,400.
    """

    weekday: Annotated[int, Meta(ge=0, le=6)]
    open: int
    close: int


class SessionCalendar(Struct, frozen=True, kw_only=True, dict=True):
    """When a market trades, and how the time is cut into candles (candles.md rule 2).

    Either ``week`` with ``holidays`` (labels) and ``special`` days (label to segments, in seconds as in
    ``WeeklySegment``, for shortened and extra sessions), or ``days``, a table ascending in time.
    ``join_breaks`` counts trading time over the breaks of a day. ``auction`` is how many ns before the
    first open of a day a print is still taken, into that day's first candle; zero refuses it.
    """

    name: str
    zone: str = "UTC"
    week: tuple[WeeklySegment, ...] = ()
    holidays: frozenset[str] = frozenset()
    special: dict[str, tuple[Span, ...]] = {}
    days: tuple[TradingDay, ...] = ()
    join_breaks: bool = False
    auction: Annotated[int, Meta(ge=0)] = 0

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (LookupError, ValueError, OSError) as error:
            raise CalendarError(f"calendar {self.name!r}: {self.zone!r} is no IANA time zone") from error
        if bool(self.week) == bool(self.days):
            raise CalendarError(f"calendar {self.name!r} needs either a week or a table of days")
        spans = [span for day in self.days for span in day.segments]
        _check_ascending(self.name, spans)
        for segments in self.special.values():
            _check_ascending(self.name, segments)
        for weekday in range(7):
            _check_ascending(self.name, self._weekday(weekday))

    # ---- the questions ----------------------------------------------------------------------------
    def day(self, ts: int) -> TradingDay | None:
        """The trading day from whose first open to whose last close ``ts`` falls, breaks included."""
        last = self._memo.get("day")
        if last is not None and last.open <= ts < last.close:
            return last
        for day in self._days_around(ts):
            if day.open <= ts < day.close:
                self._memo["day"] = day
                return day
        return None

    def segment(self, ts: int) -> Span | None:
        """The segment that ``ts`` falls into, None out of session."""
        day = self.day(ts)
        if day is None:
            return None
        return next((span for span in day.segments if span[0] <= ts < span[1]), None)

    def next_open(self, ts: int) -> int | None:
        """The first instant at or after ``ts`` that is in session; None beyond the table's end."""
        for day in self._days_from(ts):
            for opens, closes in day.segments:
                if ts < closes:
                    return max(ts, opens)
        return None

    def admit(self, ts: int) -> int | None:
        """The instant at which a print of ``ts`` counts: itself, a first open (auction), or None."""
        if self.segment(ts) is not None:
            return ts
        if not self.auction:
            return None
        opens = self.next_open(ts)
        if opens is None or opens - ts > self.auction:
            return None
        day = self.day(opens)
        return opens if day is not None and day.open == opens else None

    def bounds(self, timeframe: Timeframe, ts: int) -> Span | None:
        """``(open_time, close_time)`` of the candle that holds ``ts``, None out of session."""
        segment = self.segment(ts)
        day = self.day(ts)
        if segment is None or day is None:
            return None
        if timeframe.span is None:
            return self._period(timeframe, day)
        if self.join_breaks:
            return _joined(day.segments, timeframe.span, ts)
        opens, closes = segment
        start = opens + (ts - opens) // timeframe.span * timeframe.span
        return start, min(start + timeframe.span, closes)

    def days_from(self, ts: int) -> Iterator[TradingDay]:
        """Trading days in order, from none later than the last that opened at or before ``ts``."""
        return self._days_from(ts)

    @property
    def horizon(self) -> int | None:
        """Last close that a table knows, in ns; None for a weekly rule, which has no end."""
        return self.days[-1].close if self.days else None

    # ---- trading days, weeks, months --------------------------------------------------------------
    def _period(self, timeframe: Timeframe, day: TradingDay) -> Span:
        if timeframe.unit == "d" and timeframe.count == 1:
            return day.open, day.close
        key = (timeframe.id, day.label)
        if key not in self._periods:
            if len(self._periods) > _MEMO_DAYS:
                self._periods.clear()
            days = self._days_of_period(timeframe, day)
            self._periods[key] = (days[0].open, days[-1].close)
        return self._periods[key]

    def _days_of_period(self, timeframe: Timeframe, day: TradingDay) -> list[TradingDay]:
        """All trading days of the multi-day candle that holds ``day``; never empty."""
        label, count = date.fromisoformat(day.label), timeframe.count
        if timeframe.unit == "d":
            days = self._days_between(date(label.year, 1, 1), date(label.year, 12, 31))
            start = days.index(day) // count * count
            return days[start : start + count]
        if timeframe.unit == "w":
            year, week, _ = label.isocalendar()
            first = (week - 1) // count * count + 1
            monday = date.fromisocalendar(year, first, 1)
            end = min(monday + timedelta(weeks=count), date.fromisocalendar(year + 1, 1, 1))
            return self._days_between(monday, end - timedelta(days=1))
        month = (label.month - 1) // count * count
        following = date(label.year + (month + count) // 12, (month + count) % 12 + 1, 1)
        return self._days_between(date(label.year, month + 1, 1), following - timedelta(days=1))

    def _days_between(self, first: date, last: date) -> list[TradingDay]:
        if self.days:
            return [day for day in self.days if first.isoformat() <= day.label <= last.isoformat()]
        days = (self._generated(number) for number in range(first.toordinal(), last.toordinal() + 1))
        return [day for day in days if day is not None]

    # ---- from a rule or a table to days -----------------------------------------------------------
    def _days_around(self, ts: int) -> Iterable[TradingDay]:
        if self.days:
            position = bisect_right(self._opens, ts)
            return self.days[max(0, position - 1) : position]
        number = self._local_date(ts).toordinal()
        days = (self._generated(n) for n in range(number - self._lag, number + self._lead + 1))
        return (day for day in days if day is not None)

    def _days_from(self, ts: int) -> Iterator[TradingDay]:
        if self.days:
            yield from self.days[max(0, bisect_right(self._opens, ts) - 1) :]
            return
        number = self._local_date(ts).toordinal() - self._lag
        for n in range(number, number + _SEARCH_DAYS):
            day = self._generated(n)
            if day is not None:
                yield day

    def _generated(self, number: int) -> TradingDay | None:
        """The trading day labelled by the date of proleptic ordinal ``number``, None on a holiday."""
        days = self._generated_days
        if number not in days:
            if len(days) > _MEMO_DAYS:
                days.clear()
            days[number] = self._generate(date.fromordinal(number))
        return days[number]

    def _generate(self, label: date) -> TradingDay | None:
        name = label.isoformat()
        if name in self.special:
            local = self.special[name]
        else:
            local = () if name in self.holidays else self._weekday(label.weekday())
        spans = ((self._instant(label, a), self._instant(label, b)) for a, b in local)
        segments = tuple(span for span in spans if span[0] < span[1])  # an hour that DST skips is gone
        return TradingDay(name, segments) if segments else None

    def _instant(self, label: date, seconds: int) -> int:
        """UTC ns of a local wall time. One that DST skips or repeats is read as before the change."""
        days, rest = divmod(seconds, _DAY_S)
        wall = datetime.combine(label + timedelta(days=days), time.min) + timedelta(seconds=rest)
        return int(wall.replace(tzinfo=self._zone).timestamp()) * SECOND

    def _local_date(self, ts: int) -> date:
        return datetime.fromtimestamp(ts // SECOND, self._zone).date()

    def _weekday(self, weekday: int) -> tuple[Span, ...]:
        return tuple((s.open, s.close) for s in self.week if s.weekday == weekday)

    # Memos: what they hold follows from the fields alone, so the struct stays a value.
    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def _memo(self) -> dict[str, TradingDay]:
        return {}

    @cached_property
    def _generated_days(self) -> dict[int, TradingDay | None]:
        return {}

    @cached_property
    def _periods(self) -> dict[tuple[str, str], Span]:
        return {}

    @cached_property
    def _opens(self) -> list[int]:
        return [day.open for day in self.days]

    @cached_property
    def _lead(self) -> int:
        """How many days before its label a day may open."""
        opens = [s.open for s in self.week] + [a for spans in self.special.values() for a, _ in spans]
        return max(0, -(min(opens) // _DAY_S))

    @cached_property
    def _lag(self) -> int:
        """How many days after its label a day may close."""
        closes = [s.close for s in self.week] + [b for spans in self.special.values() for _, b in spans]
        return max(0, max(closes) // _DAY_S)


def _check_ascending(name: str, spans: Sequence[Span]) -> None:
    edges = [edge for span in spans for edge in span]
    if any(a >= b for a, b in spans) or edges != sorted(edges):
        raise CalendarError(
            f"calendar {name!r}: segments must ascend, not overlap, not be empty: {spans[:4]}"
        )


def _joined(segments: Sequence[Span], span: int, ts: int) -> Span:
    """Bounds counted in trading time over the breaks of a day (Chinese futures, vnpy issue 3270)."""
    elapsed = sum(min(ts, closes) - opens for opens, closes in segments if opens <= ts)
    start = elapsed // span * span
    return _at(segments, start, opening=True), _at(segments, start + span, opening=False)


def _at(segments: Sequence[Span], elapsed: int, *, opening: bool) -> int:
    """The instant after ``elapsed`` ns of trading. On a break, a candle opens after and closes before it."""
    for opens, closes in segments:
        length = closes - opens
        if elapsed < length or (elapsed == length and not opening):
            return opens + elapsed
        elapsed -= length
    return segments[-1][1]


# ---- the weekly calendars that are not an exchange's ----------------------------------------------
def at(clock: str, days: int = 0) -> int:
    """Seconds from local midnight of ``HH:MM``, ``days`` later (``at("17:00", -1)``: the eve)."""
    hours, minutes = clock.split(":")
    return days * _DAY_S + int(hours) * 3600 + int(minutes) * 60


def always(zone: str = "UTC", *, name: str = "") -> SessionCalendar:
    """Round the clock, each day from local midnight to the next: crypto, and what has no calendar."""
    week = tuple(WeeklySegment(weekday, 0, _DAY_S) for weekday in range(7))
    return SessionCalendar(name=name or ("24x7" if zone == "UTC" else f"24x7@{zone}"), zone=zone, week=week)


def weekly(name: str, zone: str, segments: Iterable[WeeklySegment], **options: Any) -> SessionCalendar:
    """The same segments every week; ``options`` are the other fields of ``SessionCalendar``."""
    week = tuple(sorted(segments, key=lambda s: (s.weekday, s.open)))
    return SessionCalendar(name=name, zone=zone, week=week, **options)


def overnight(name: str, zone: str, opens: str, closes: str) -> SessionCalendar:
    """Monday to Friday, each trading day from ``opens`` of the eve to ``closes`` (local ``HH:MM``).

    FX is ``overnight("FX", "America/New_York", "17:00", "17:00")``, CME futures are
    ``overnight("CME", "America/Chicago", "17:00", "16:00")``.
    """
    return weekly(name, zone, [WeeklySegment(day, at(opens, -1), at(closes)) for day in range(5)])
