"""What nobody else tells as an event: a disk that is full, a signal that waits for a person.

``news`` decides, purely, by two looks. A look is cheap, and reads disks on a thread. What waits is told once
for each daemon: after a restart again, for it still waits.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog
from msgspec import Struct

from strategies.trading.records import Judged
from supervisor.config import Settings
from supervisor.errors import Unavailable
from supervisor.events import EventLog
from supervisor.quota import mib
from supervisor.signal_tail import SignalTail
from supervisor.tasks import end_task

EVERY: Final = 2.0
"""Seconds between two looks."""
BACK: Final = 1.1
"""How much of the reserve is free when a disk is well again: one at the edge is not told each time."""
UNTOLD: Final = ("api", "certificate")
"""The daemon's problems of which there is no event."""
log = structlog.get_logger()


class Seen(Struct, frozen=True, kw_only=True):
    """One look. ``waiting``: signals by id."""

    disk_low: bool = False
    disk_free: int | None = None
    waiting: Mapping[str, Judged] = {}
    problems: Mapping[str, str] = {}


class News(NamedTuple):
    """An event: its kind, its detail, and whose it is."""

    kind: str
    detail: str
    deployment_id: str = ""


def disk_is_low(free: int | None, reserve: int, *, was: bool) -> bool:
    """Whether less is free than stays free (``limits.disk_reserve``), both bytes; None is not known."""
    return was if free is None else free < reserve * (BACK if was else 1.0)


def news(before: Seen, now: Seen) -> list[News]:
    """Return what has changed from one look to the next. Pure."""
    found = []
    free = "" if now.disk_free is None else f"{mib(now.disk_free)} free where the state is kept"
    if now.disk_low and not before.disk_low:
        found.append(News("disk_low", f"{free}, less than limits.disk_reserve: nothing is started"))
    if before.disk_low and not now.disk_low:
        found.append(News("disk_back", free))
    for name, judged in now.waiting.items():
        if name not in before.waiting:
            about = f"{judged.signal.intent} {judged.signal.symbol}"
            found.append(
                News("approval_waiting", f"{about}: stratd approve {name}, or reject", judged.deployment_id)
            )
    found += [News("problem", one) for name, one in now.problems.items() if before.problems.get(name) != one]
    return found


class World(Protocol):
    """What is looked at of the daemon."""

    settings: Settings
    events: EventLog
    problems: dict[str, str]
    signals: SignalTail


class Watch:
    """Looks, and notes what is new as events."""

    def __init__(self, daemon: World) -> None:
        self._daemon = daemon
        self._seen = Seen()
        self._journal = -1
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        self._task = asyncio.create_task(self._run(), name="watch")

    async def stop(self) -> None:
        """Look no more."""
        await end_task(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            try:
                now = await self._look()
            except Exception:  # the wall: whatever cannot be looked at now is looked at again
                log.exception("watch_failed")
                continue
            for one in news(self._seen, now):
                self._daemon.events.note(one.kind, one.detail, one.deployment_id)
            self._seen = now

    async def _look(self) -> Seen:
        daemon, before = self._daemon, self._seen
        free = await asyncio.to_thread(_free, daemon.settings.state_dir)
        return Seen(
            disk_low=disk_is_low(free, daemon.settings.limits.disk_reserve, was=before.disk_low),
            disk_free=free,
            waiting=await self._waiting(),
            problems={name: daemon.problems[name] for name in UNTOLD if name in daemon.problems},
        )

    async def _waiting(self) -> Mapping[str, Judged]:
        """Return what waits for approval; asked of the journal where that has grown."""
        seq = self._daemon.signals.seq
        if seq == self._journal:
            return self._seen.waiting
        try:
            found = await self._daemon.signals.ask(lambda reader: reader.pending())
        except Unavailable:  # there is none yet, or it was set aside, which is told as that
            return self._seen.waiting
        self._journal = seq
        return {one.signal_id: one for one in found}


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None
