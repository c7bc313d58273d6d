"""The timers that a strategy has set, as its host knows them: the engine has them fire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bus.messages import Schedule
from bus.session_phases import is_phase

MOST: Final = 64
"""Timers kept: what the engine grants one deployment (supervisor/engine/timers.py)."""


class Timers:
    """``armed`` are those that are to fire, by name; ``fired`` is when each of the others was due last."""

    __slots__ = ("_restoring", "armed", "fired")

    def __init__(self) -> None:
        self.armed: dict[str, Schedule] = {}
        self.fired: dict[str, int] = {}
        self._restoring = False

    def set(self, name: str, at: int | None, period: int, now: int) -> Schedule | None:
        """Arm a timer, replacing the one of that name; None while what is said is not to leave.

        A periodic one that a strategy sets again at its start, after a restart, keeps its phase.
        """
        known = self.armed.get(name)
        keeps = self._restoring and at is None and known is not None and known.every == period
        timer = (
            known
            if keeps and known is not None
            else Schedule(name, now + period if at is None else at, period)
        )
        self.fired.pop(name, None)
        if known is not None or len(self.armed) < MOST:
            self.armed[name] = timer
        return None if self._restoring else timer

    def fire(self, name: str, ts: int) -> bool:
        """Take a timer that was due at ``ts``; False if it was told already, or has been set anew since.

        An engine that comes back may set off again what the tape has set off.
        """
        timer = self.armed.get(name)
        if ts < timer.at if timer is not None else ts <= self.fired.get(name, 0):
            return False
        if timer is not None and timer.every:
            self.armed[name] = Schedule(name, ts + timer.every, timer.every)
            return True
        self.armed.pop(name, None)
        self.fired.pop(name, None)
        if is_phase(name):  # they come in order: of those before nobody asks
            self.fired = {other: at for other, at in self.fired.items() if not is_phase(other)}
        self.fired[name] = ts
        while len(self.fired) > MOST:
            del self.fired[next(iter(self.fired))]
        return True

    def restore(self, armed: Iterable[Schedule], fired: Mapping[str, int]) -> None:
        """Go on where a checkpoint was taken; until ``restored`` nothing leaves, for all of it is known."""
        self._restoring = True
        self.armed = {timer.name: timer for timer in armed}
        self.fired = dict(fired)

    def restored(self) -> list[Schedule]:
        """Return every timer that is to fire: the engine may know none of them."""
        self._restoring = False
        return list(self.armed.values())
