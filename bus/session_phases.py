"""The phases of trading days, as instants in one order: before the open, open, before the close, close. Pure.

Rules of this file. A trading day has each phase once, breaks are none of them: ``open`` is that of its first
segment, ``close`` that of its last. ``pre_open`` is ``BEFORE`` the open, ``pre_close`` ``BEFORE`` the close
but never before the open. At one instant the older day comes first, so that it closes before the next opens.

Between engine and cell a phase is a timer that nobody set, named ``stratd:session:PHASE:DAY``. A strategy
that has ``on_session`` asks for them by a timer called ``WISH``.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from bus.timeframes import MINUTE

if TYPE_CHECKING:  # a cell knows the names of phases, and no calendar
    from bus.sessions import SessionCalendar, TradingDay

Name: TypeAlias = Literal["pre_open", "open", "pre_close", "close"]
NAMES: Final[tuple[Name, ...]] = ("pre_open", "open", "pre_close", "close")
BEFORE: Final = 15 * MINUTE
"""How long before an open and a close, ns: as ``+auction`` has it, and before the cut-off for orders on the
close of NYSE (15:50)."""
OURS: Final = "stratd:"
"""What begins the names of timers that are not the strategy's."""
WISH: Final = "stratd:session"
_PREFIX: Final = f"{WISH}:"


class Phase(NamedTuple):
    """One phase: when (ns), of which day (ISO date), and its place in ``NAMES``. They compare in order."""

    at: int
    day: str
    rank: int

    @property
    def name(self) -> Name:
        """What it is called."""
        return NAMES[self.rank]

    @property
    def timer(self) -> str:
        """The name of its timer."""
        return f"{_PREFIX}{self.name}:{self.day}"


def is_phase(timer: str) -> bool:
    """Whether a timer is a phase, by its name."""
    return timer.startswith(_PREFIX)


def phase_of(timer: str, at: int) -> Phase:
    """Return the phase that a timer due ``at`` is; ``ValueError`` for a name that is none."""
    name, _, day = timer.removeprefix(_PREFIX).partition(":")
    if not is_phase(timer) or name not in NAMES:
        raise ValueError(f"no phase of a session: {timer!r}")
    return Phase(at, date.fromisoformat(day).isoformat(), NAMES.index(name))


def phases(day: TradingDay) -> tuple[Phase, ...]:
    """Return the phases of one trading day, in order."""
    instants = day.open - BEFORE, day.open, max(day.open, day.close - BEFORE), day.close
    return tuple(Phase(at, day.label, rank) for rank, at in enumerate(instants))


def next_phase(calendar: SessionCalendar, after: Phase) -> Phase | None:
    """Return the first phase behind ``after``; None beyond the end of the calendar's table."""
    best: Phase | None = None
    for day in calendar.days_from(after.at - 1):  # with a day that closes at that very instant
        if best is not None and best.at < day.open - BEFORE:
            break
        behind = [phase for phase in phases(day) if phase > after]
        best = min([*behind, best] if best is not None else behind, default=None)
    return best
