"""The hours of a symbol as the gate sees them: in session or not, the local time, when a day ends.

Pure: a calendar (``bus.sessions``) and an instant in, a ``Session`` out. ``Hours`` keeps the last answer for
as long as it holds, which is until the minute or the session ends: a view costs a comparison.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from bus.sessions import SessionCalendar, TradingDay
from strategies.trading.ttl import SECOND
from strategies.trading.view import Session

MINUTE: Final = 60 * SECOND
EARLY: Final = 5 * MINUTE
"""How long before the last close positions are squared off on a day that ends before ``square_off_at``: a
market order needs a tick to trade, and quiet symbols have few."""


def session(calendar: SessionCalendar, now: int, square_off: int | None = None) -> Session:
    """Return the hours at ``now``; ``square_off`` is in minutes from local midnight.

    Beyond the end of a calendar's table it is not known whether the market is open.
    """
    horizon = calendar.horizon
    if horizon is not None and now >= horizon:
        return Session(open=None, minute=_minute(calendar, now))
    day = calendar.day(now) or _next_day(calendar, now)
    return Session(
        open=calendar.segment(now) is not None,
        closes_at=0 if day is None else day.close,
        minute=_minute(calendar, now),
        square_off_at=0 if day is None or square_off is None else square_off_at(calendar, day, square_off),
    )


def square_off_at(calendar: SessionCalendar, day: TradingDay, minute: int) -> int:
    """Return when positions of ``day`` are squared off: at the local ``minute``, which comes once in a day.

    On a day that closes earlier, or opens later, it is ``EARLY`` before its last close: nothing is kept over
    night because a holiday cut the day short. Of two local times that are one (the clocks are put back)
    the first counts, one that is skipped is read as before the change.
    """
    zone = ZoneInfo(calendar.zone)
    label = date.fromisoformat(day.label)
    for shift in (-1, 0, 1):  # a trading day may begin on the eve of its date
        wall = datetime.combine(label, datetime.min.time(), zone) + timedelta(days=shift, minutes=minute)
        at = int(wall.timestamp()) * SECOND
        if day.open <= at < day.close:
            return at
    return max(day.open, day.close - EARLY)


class Hours:
    """The hours of symbols, asked for at every signal."""

    __slots__ = ("_answers",)

    def __init__(self) -> None:
        self._answers: dict[tuple[int, int | None], tuple[SessionCalendar, int, int, Session]] = {}

    def of(self, calendar: SessionCalendar, now: int, square_off: int | None = None) -> Session:
        """Return ``session(calendar, now, square_off)``."""
        # By identity: calendars are few and live long, and to compare them is to compare their tables.
        key = id(calendar), square_off
        kept = self._answers.get(key)
        if kept is not None and kept[0] is calendar and kept[1] <= now < kept[2]:
            return kept[3]
        answer = session(calendar, now, square_off)
        segment, start = calendar.segment(now), now - now % MINUTE
        # Out of session it may open within the minute, so then the answer is for this instant only.
        begins, ends = (
            (max(start, segment[0]), min(start + MINUTE, segment[1])) if segment else (now, now + 1)
        )
        self._answers[key] = calendar, begins, ends, answer
        return answer


def _minute(calendar: SessionCalendar, now: int) -> int:
    local = datetime.fromtimestamp(now // SECOND, ZoneInfo(calendar.zone))
    return local.hour * 60 + local.minute


def _next_day(calendar: SessionCalendar, now: int) -> TradingDay | None:
    opens = calendar.next_open(now)
    return None if opens is None else calendar.day(opens)
