"""What cells leave behind: processes of their control groups, and orphans that became the daemon's children.

A cell is not over while any of that lives: nobody would enforce its quota or read its output, and the next
instance would not be the only one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from supervisor.enforcers import Enforcers
from supervisor.events import EventLog
from supervisor.reaper import Reaper, children

DYING = 1.0
"""Seconds that everything gets to be gone when the daemon ends."""
PAUSE = 0.005


class Remains:
    """Ends them. ``known`` are the pids that belong to somebody."""

    def __init__(self, enforcers: Enforcers, events: EventLog, known: Callable[[], set[int]]) -> None:
        self._enforcers = enforcers
        self._events = events
        self._known = known
        self._reaper = Reaper()

    def clear(self, deployment_id: str, generation: int) -> bool:
        """End what is left of a cell that is gone; whether nothing is. To be asked again until then."""
        empty = self._enforcers.empty((deployment_id, generation))
        return self._end_orphans() and empty

    def look(self) -> None:
        """Once a second: end what got away from a cell that lives, and reap what ended."""
        ours, known = children(), self._known()
        self._tell(self._reaper.kill_orphans(ours, known))
        self._enforcers.tidy()
        self._tell(self._reaper.reap(ours, known))

    async def leave_nobody(self) -> None:
        """End what would outlive this daemon as somebody else's child."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DYING
        while not self._end_orphans() and loop.time() < deadline:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(PAUSE)

    def _end_orphans(self) -> bool:
        self._tell(self._reaper.kill_orphans(children(), self._known()))
        return not self._reaper.left

    def _tell(self, events: list[tuple[str, str]]) -> None:
        for kind, detail in events:
            self._events.note(kind, detail)
