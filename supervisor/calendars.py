"""Session calendars by name, as the plain tables that the engine takes (bus/sessions.py).

Exchange sessions come from ``exchange_calendars``, which needs pandas: 0.7 s and 100 MiB that neither
daemon should keep. So they are loaded in a short-lived process, ``python -m supervisor.calendars
NAME...``, which prints them as MessagePack; ``load`` runs it and keeps what it said in a folder.

Names: ``24x7`` and ``24x7@ZONE`` (round the clock, days from local midnight), ``FX`` and ``FX@ZONE``
(Sunday to Friday, days from 17:00, New York by default), and those of exchanges by MIC or alias
(``XNYS``, ``NSE``). ZONE is an IANA zone or ``UTC+hh:mm``. ``+join_breaks`` or ``+auction`` behind a
name sets that option of ``SessionCalendar``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bus.sessions import CalendarError, SessionCalendar, TradingDay, always, overnight
from bus.timeframes import DAY, MINUTE

ALIASES = {"NSE": "XBOM", "XNSE": "XBOM"}
"""Names that ``exchange_calendars`` lacks. NSE and BSE keep the same days and hours, 09:15-15:30."""

HORIZON = 30 * DAY
"""A table that ends sooner than this is worth a warning: beyond its end nothing is in session."""

AUCTION = 15 * MINUTE
"""How long before the first open ``+auction`` takes prints (NSE: order collection opens at 09:00)."""

KEPT_DAYS = 7
"""Age in days at which a kept table is made anew: exchanges announce special sessions late."""

_ALLOWED = "24x7, 24x7@ZONE, FX, FX@ZONE, or an exchange such as XNYS, XLON, NSE"
_OFFSET = re.compile(r"UTC([+-])(\d{1,2})(?::?(\d{2}))?")
_TIMEOUT = 60.0


class UnknownCalendarError(CalendarError):
    """No calendar has this name; the message lists those with a similar one."""


class Kept(Struct, frozen=True):
    """A table in the cache, with what it was made by and when (ISO date)."""

    calendar: SessionCalendar
    made: str
    library: str


class Answer(Struct, frozen=True):
    """What the short-lived process prints: tables by name, and near matches of names it lacks."""

    calendars: dict[str, SessionCalendar] = {}
    unknown: dict[str, list[str]] = {}


# ---- in the daemon --------------------------------------------------------------------------------
def load(names: Iterable[str], cache: Path, today: date) -> dict[str, SessionCalendar]:
    """Return the calendars of ``names``. May take two seconds: call it off the event loop.

    Raises ``UnknownCalendarError`` for the first name that no calendar has, and ``CalendarError`` if
    exchange calendars cannot be loaded and none was kept.
    """
    wanted = {name: _split(name) for name in dict.fromkeys(names)}
    exchanges = {base for base, _ in wanted.values() if _weekly(base) is None}
    tables = _exchanges(exchanges, cache, today)
    found: dict[str, SessionCalendar] = {}
    for name, (base, options) in wanted.items():
        calendar = _weekly(base) or tables[base]
        found[name] = replace(
            calendar,
            name=name,
            join_breaks="join_breaks" in options,
            auction=AUCTION if "auction" in options else 0,
        )
    return found


def tables(calendars: Mapping[str, SessionCalendar]) -> dict[str, object]:
    """Return calendars as the plain values that ``supervisor.control.Configure.calendars`` carries."""
    return {name: msgspec.to_builtins(calendar) for name, calendar in calendars.items()}


def horizon_warning(calendar: SessionCalendar, now: int) -> str | None:
    """Return one line if the table of ``calendar`` ends within 30 days of ``now`` (ns), else None."""
    end = calendar.horizon
    if end is None or end - now >= HORIZON:
        return None
    left = max(0, end - now) // DAY
    return (
        f"calendar {calendar.name!r} knows sessions for {left} more days only, until "
        f"{calendar.days[-1].label}; after that every tick is out of session: update exchange_calendars"
    )


def _split(name: str) -> tuple[str, set[str]]:
    """Return base name and options; the empty name is 24x7 (supervisor/control.py)."""
    base, options = name or "24x7", set[str]()
    while base.endswith(("+join_breaks", "+auction")):
        base, _, option = base.rpartition("+")
        options.add(option)
    return base, options


def _weekly(base: str) -> SessionCalendar | None:
    """Return the calendar that a rule makes, None for the name of an exchange."""
    kind, _, zone = base.partition("@")
    if kind == "24x7":
        return always(_zone(base, zone or "UTC"), name=base)
    if kind == "FX":
        return overnight(base, _zone(base, zone or "America/New_York"), "17:00", "17:00")
    return None


def _zone(name: str, zone: str) -> str:
    """Return the IANA name of a zone; ``UTC-05:00`` is Etc/GMT+5, whose sign is the other way round."""
    offset = _OFFSET.fullmatch(zone)
    if offset is None:
        return zone
    hours, minutes = int(offset[2]), int(offset[3] or 0)
    if minutes or hours > 12:
        raise CalendarError(
            f"calendar {name!r}: offset {zone} is no zone: allowed are whole hours to 12, or an IANA name "
            "such as Asia/Kolkata"
        )
    return f"Etc/GMT{'-' if offset[1] == '+' else '+'}{hours}" if hours else "UTC"


def _exchanges(names: set[str], cache: Path, today: date) -> dict[str, SessionCalendar]:
    library = version("exchange_calendars")
    kept = {name: entry for name in names if (entry := _read(cache, name)) is not None}
    fresh = {
        name
        for name, entry in kept.items()
        if entry.library == library and 0 <= (today - date.fromisoformat(entry.made)).days < KEPT_DAYS
    }
    found = {name: entry.calendar for name, entry in kept.items()}
    missing = sorted(names - fresh)
    if missing:
        try:
            made = _ask(missing, today)
        except CalendarError:
            # An old table is better than no feed; horizon_warning tells when it is too old.
            if not names <= found.keys():
                raise
            return found
        for name, calendar in made.items():
            _write(cache, name, Kept(calendar, today.isoformat(), library))
        found.update(made)
    return found


def _ask(names: list[str], today: date) -> dict[str, SessionCalendar]:
    """Run this module as a process of its own and return what it printed."""
    root = str(Path(__file__).resolve().parents[1])
    command = [sys.executable, "-P", "-m", "supervisor.calendars", "--today", today.isoformat(), *names]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": root, "LANG": "C.UTF-8"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CalendarError(f"exchange calendars {', '.join(names)} cannot be loaded: {error}") from error
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise CalendarError(f"exchange calendars {', '.join(names)} cannot be loaded: {' '.join(last)}")
    answer = msgspec.msgpack.decode(done.stdout, type=Answer)
    for name, near in answer.unknown.items():
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownCalendarError(f"calendar {name!r} is unknown{hint} Allowed: {_ALLOWED}")
    return answer.calendars


def _path(cache: Path, name: str) -> Path:
    return cache / f"{re.sub(r'[^A-Za-z0-9]', '_', name)}.msgpack"


def _read(cache: Path, name: str) -> Kept | None:
    try:
        kept = msgspec.msgpack.decode(_path(cache, name).read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError, CalendarError):
        return None  # absent or damaged: it is made again
    return kept if kept.calendar.name == name else None


def _write(cache: Path, name: str, kept: Kept) -> None:
    """Keep a table, whole or not at all. A cache that cannot be written costs two seconds a start."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=cache, delete=False) as file:
            file.write(msgspec.msgpack.encode(kept))
        Path(file.name).replace(_path(cache, name))
    except OSError:
        return


# ---- in the short-lived process -------------------------------------------------------------------
def _answer(names: list[str], today: date) -> Answer:
    # The one import of pandas in the project, in a process that ends with its answer.
    import exchange_calendars  # noqa: PLC0415

    known = [*exchange_calendars.get_calendar_names(), *ALIASES]
    found: dict[str, SessionCalendar] = {}
    unknown: dict[str, list[str]] = {}
    for name in names:
        if name not in known:
            upper = name.upper()
            unknown[name] = get_close_matches(upper, [*known, "24x7", "FX"], n=3, cutoff=0.5)
            continue
        # From the first of a year, because 2d and longer count from there (candles.md rule 2).
        market = exchange_calendars.get_calendar(ALIASES.get(name, name), start=f"{today.year - 1}-01-01")
        rows = zip(
            market.schedule.index.strftime("%Y-%m-%d"),
            *(
                market.schedule[column].astype("int64")
                for column in ("open", "break_start", "break_end", "close")
            ),
            strict=True,
        )
        days = tuple(TradingDay(label, _segments(*map(int, edges))) for label, *edges in rows)
        found[name] = SessionCalendar(name=name, zone=str(market.tz), days=days)
    return Answer(found, unknown)


def _segments(opens: int, pauses: int, resumes: int, closes: int) -> tuple[tuple[int, int], ...]:
    """One or two segments: pandas writes no break as NaT, the smallest integer."""
    return ((opens, closes),) if pauses < 0 else ((opens, pauses), (resumes, closes))


def main(arguments: list[str]) -> int:
    """Print the tables of the names in ``--today DATE NAME...`` as MessagePack."""
    today = date.fromisoformat(arguments[1])
    sys.stdout.buffer.write(msgspec.msgpack.encode(_answer(arguments[2:], today)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
