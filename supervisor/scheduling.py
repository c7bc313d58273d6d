"""The schedules of the deployments: looks at the clock, and tells the actors when a window opens or closes.

Rules of this file. The clock on the wall is asked, once a second, and nothing is waited for: a clock that
jumps, a host that slept and a daemon that was away for a week come to the same as a clock that ran. A phase
is found anew where the clock has left it, on either side. A schedule changes no life by itself: it submits
``Close`` and ``Open``, and what it had ended is begun as after a start of the daemon, if limits allow.

What cannot be known keeps a deployment outside, as it keeps a feed closed: a calendar that cannot be had may
hold a holiday. It is tried again every minute; each is made anew once a day, for tables end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol

import msgspec
import structlog
from msgspec import Struct

from bus.sessions import SessionCalendar
from supervisor import life as lf
from supervisor.actor import Actor
from supervisor.calendars import UnknownCalendarError
from supervisor.errors import Invalid, Unavailable
from supervisor.feeds import Calendars
from supervisor.schedule import Phase, Schedule, Sessions, inside_text, load, outside_text, phase, sessions_of
from supervisor.store.tables import Deployment
from supervisor.verbs import Verbs, waits

AGAIN: Final = 60
"""Looks, one a second, until a calendar that could not be had is asked for again."""
DAY: Final = 86_400
"""Looks until a calendar is made anew; seconds until a phase without an end in sight is looked at again."""
OPENED: Final = "its schedule is open"
GONE: Final = "it has no schedule any more"
log = structlog.get_logger()


class Parts(Protocol):
    """What is read of the daemon."""

    calendars: Calendars
    problems: dict[str, str]
    actors: dict[str, Actor]
    verbs: Verbs
    stopping: bool


class Watch(Struct):
    """What is known of one schedule: its phase as it was found at ``at``, and what its actor was told last.

    ``born`` is when its deployment was created: another one of its name was told nothing. ``broken`` says
    why it cannot be read. ``begins``: what it ended is to begin, and had no room yet.
    """

    stored: dict[str, Any]
    born: int
    schedule: Schedule | None = None
    broken: str = ""
    phase: Phase | None = None
    at: int = 0
    told: lf.Close | None = None
    begins: bool = False


class Table(Struct):
    """One calendar: its sessions, None as long as it cannot be had, and looks until it is asked for again."""

    sessions: Sessions | None = None
    due: int = AGAIN


class Scheduling:
    """Looks at every schedule. ``spawn`` runs what takes time."""

    def __init__(self, daemon: Parts, spawn: Callable[[Coroutine[Any, Any, Any]], None]) -> None:
        self._daemon = daemon
        self.clock: Callable[[], int] = time.time_ns
        """Unix nanoseconds, by the clock on the wall."""
        self._spawn = spawn
        self._watches: dict[str, Watch] = {}
        self._tables: dict[str, Table] = {}
        self._one = asyncio.Lock()

    # ---- questions ------------------------------------------------------------------------------
    def stands(self, deployment: Deployment) -> Phase:
        """Return where a deployment stands to its schedule; without one it is inside for good."""
        if not deployment.schedule:
            return Phase(inside=True, until=None)
        watch = self._watch(deployment)
        schedule, now = watch.schedule, self.clock()
        if schedule is None or self._blind(schedule):
            return Phase(inside=False, until=None)
        if watch.phase is None or not _holds(watch.phase, watch.at, now):
            sessions = self._tables[schedule.calendar].sessions if schedule.calendar else None
            watch.phase, watch.at = phase(schedule, now, sessions), now
        return watch.phase

    def why(self, deployment: Deployment) -> str:
        """Say that a deployment is outside its schedule, and until when; "" inside."""
        found = self.stands(deployment)
        if found.inside:
            return ""
        watch = self._watch(deployment)
        if watch.schedule is None:
            return f"outside its schedule, which cannot be read: {watch.broken}"
        if self._blind(watch.schedule):
            return f"outside its schedule until its calendar {watch.schedule.calendar} can be had"
        return outside_text(watch.schedule, found, self.clock())

    def says(self, deployment: Deployment) -> str:
        """Say where a deployment stands, and until when; "" without a schedule."""
        found, schedule = self.stands(deployment), self._watch(deployment).schedule
        if not found.inside or schedule is None:
            return self.why(deployment)
        return inside_text(schedule, found, self.clock())

    def bars(self, deployment: Deployment) -> bool:
        """Whether no instance of it begins now."""
        word = self._word(deployment)
        return word is not None and word.doing == "stop"

    async def check(self, calendar: str) -> None:
        """Have a calendar at hand. ``Invalid`` for one that is none, ``Unavailable`` if it cannot be had."""
        if not calendar:
            return
        try:
            await self._fetch(calendar)
        except (UnknownCalendarError, _UselessError) as error:
            raise Invalid([f"calendar = {calendar!r}: {error}"]) from None
        except Exception as error:  # the wall: pandas and a process of its own are behind it
            log.debug("calendar_failed", calendar=calendar, exc_info=True)
            raise Unavailable(f"calendar {calendar!r} cannot be had: {error}") from None

    # ---- the clock ------------------------------------------------------------------------------
    async def first(self) -> None:
        """Tell every actor where it stands, before anything begins."""
        scheduled = [actor for actor in self._daemon.actors.values() if actor.deployment.schedule]
        schedules = [self._watch(actor.deployment).schedule for actor in scheduled]
        for name in sorted({one.calendar for one in schedules if one is not None} - {""}):
            await self._refresh(name)
        self.look()
        for actor in scheduled:
            await actor.done()

    def look(self) -> None:
        """Compare the clock with every schedule, and tell whoever's phase has changed. Once a second."""
        if self._daemon.stopping:
            return
        for name in self._watches.keys() - self._daemon.actors.keys():
            del self._watches[name]
        for actor in list(self._daemon.actors.values()):
            try:
                self.judge(actor)
            except Exception:  # the wall: one schedule must not keep the daemon from all others
                log.exception("schedule_failed", deployment=actor.id)
        self._look_at_tables()

    def judge(self, actor: Actor) -> None:
        """Tell one actor what its schedule says now, if that is not what it was told last."""
        mine = actor.deployment
        if not mine.schedule and actor.id not in self._watches:
            return
        watch, word = self._watch(mine), self._word(mine)
        if word != watch.told:
            watch.begins = (watch.begins or _bars(watch.told)) and not _bars(word)
            watch.told = word
            actor.submit(word or lf.Open(OPENED if mine.schedule else GONE))
        elif watch.begins and not lf.is_barred(actor.life):  # it has heard that it is open
            again = lf.Recover("schedule", OPENED)
            watch.begins = waits(actor.life) and not self._daemon.verbs.take_up(actor, again)

    # ---- inside ---------------------------------------------------------------------------------
    def _watch(self, deployment: Deployment) -> Watch:
        """Return what is watched of a deployment, as its schedule is now."""
        known, stored = self._watches.get(deployment.id), deployment.schedule
        if known is not None and known.born != deployment.created_at:
            known = None
        if known is not None and known.stored == stored:
            return known
        fresh = Watch(stored, deployment.created_at)
        if stored:
            try:
                fresh.schedule = load(stored)
            except (ValueError, LookupError, OSError) as error:
                fresh.broken = str(error)
        if known is not None:
            fresh.told, fresh.begins = known.told, known.begins
        self._watches[deployment.id] = fresh
        return fresh

    def _word(self, deployment: Deployment) -> lf.Close | None:
        if self.stands(deployment).inside:
            return None
        schedule = self._watch(deployment).schedule
        return lf.Close(schedule.outside if schedule else "stop", self.why(deployment))

    def _blind(self, schedule: Schedule) -> bool:
        """Whether its calendar is not known. It is asked for from now on."""
        name = schedule.calendar
        return bool(name) and self._tables.setdefault(name, Table(due=0)).sessions is None

    def _look_at_tables(self) -> None:
        used = {watch.schedule.calendar for watch in self._watches.values() if watch.schedule}
        for name, table in list(self._tables.items()):
            table.due -= 1
            if table.due >= 0:
                continue
            if name in used:
                table.due = AGAIN
                self._spawn(self._refresh(name))
            else:  # only now: a schedule that names it may just be on its way
                del self._tables[name]
                self._daemon.problems.pop(_problem(name), None)

    async def _refresh(self, name: str) -> None:
        """Make a calendar anew; the old one stands where that cannot be done."""
        try:
            await self._fetch(name)
        except Exception as error:  # the wall: whatever it is, it is told, and tried again
            log.debug("calendar_failed", calendar=name, exc_info=True)
            known = self._tables.setdefault(name, Table()).sessions
            without = "" if known else ", so deployments that keep its holidays stay outside their schedules"
            self._daemon.problems[_problem(name)] = f"calendar {name!r} cannot be had{without}: {error}"

    async def _fetch(self, name: str) -> None:
        async with self._one:
            sessions = await asyncio.to_thread(self._load, name)
        self._tables[name] = Table(sessions, DAY)
        self._daemon.problems.pop(_problem(name), None)
        for watch in self._watches.values():
            watch.phase = None

    def _load(self, name: str) -> Sessions:
        calendar = msgspec.convert(self._daemon.calendars([name])[name], SessionCalendar)
        try:
            return sessions_of(calendar)
        except ValueError as error:
            raise _UselessError(str(error)) from None


class _UselessError(Exception):
    """A calendar that has no holidays."""


def _bars(word: lf.Close | None) -> bool:
    return word is not None and word.doing == "stop"


def _holds(found: Phase, at: int, now: int) -> bool:
    """Whether what was found at ``at`` is true at ``now``, for a clock that may have been set since."""
    return at <= now < (found.until if found.until is not None else at + DAY * 1_000_000_000)


def _problem(calendar: str) -> str:
    return f"calendar {calendar} of schedules"
