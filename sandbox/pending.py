"""What an engine that comes back after a crash has to be told again. Pure.

Signals that were in a pipe when it died may be in its journal or not, and nobody can tell. So those without a
verdict are sent again: their keys are the same, and what was accepted is answered ``duplicate``. Timers are
in the engine's memory alone. While a cell catches up they are withheld: one that is due may have been set off
already, further on on the tape.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.messages import Acked, CellReport, CommandBody, Schedule, Signal, Signals, TimerFired

MOST = 4_000
"""Signals kept without a verdict, the oldest forgotten: 20 seconds of the fastest that are let through."""
AT_ONCE = 1_000
"""Signals that one ``Signals`` holds."""
TIMERS = 65
"""Timers kept: what the engine grants one deployment (supervisor/engine/timers.py), and the wish for phases
of trading days (bus/session_phases.py)."""


class Pending:
    """Of one cell: what it asked for, until the engine has answered."""

    def __init__(self) -> None:
        self.forgotten = 0
        """Signals without a verdict that found no room: of a crash now, nobody would say them again."""
        self._signals: dict[int, Signal] = {}
        self._timers: dict[str, Schedule] = {}
        self._withheld: set[str] = set()

    def asked(self, signals: Iterable[Signal]) -> None:
        """Note signals on their way to the engine, in order."""
        for signal in signals:
            self._signals[signal.number] = signal
        while len(self._signals) > MOST:
            del self._signals[next(iter(self._signals))]
            self.forgotten += 1

    def armed(self, timer: Schedule) -> None:
        """Note a timer; the same name again replaces it. Of too many, what the engine would not grant."""
        if timer.name in self._timers or len(self._timers) < TIMERS:
            self._timers[timer.name] = timer

    def withhold(self, timer: Schedule) -> None:
        """Note a timer that is not to be sent yet."""
        self.armed(timer)
        if timer.name in self._timers:
            self._withheld.add(timer.name)

    def withhold_all(self) -> None:
        """Have every timer sent again when there is nothing more to catch up with."""
        self._withheld.update(self._timers)

    @property
    def withholds(self) -> bool:
        """Whether a timer is withheld."""
        return bool(self._withheld)

    def withheld(self) -> list[Schedule]:
        """Return the timers that were withheld and are still to fire; they are no more."""
        names, self._withheld = self._withheld, set()
        return [timer for name, timer in self._timers.items() if name in names]

    def heard(self, body: CommandBody) -> None:
        """Take what the engine said of it."""
        if isinstance(body, Acked):
            number = body.ack.number
            # Verdicts come in order, and the refusals of a flood not at all: all before this one are decided.
            while number in self._signals:
                del self._signals[next(iter(self._signals))]
        elif isinstance(body, TimerFired):
            timer = self._timers.get(body.name)
            if timer is None or body.ts < timer.at:  # of before it was set again
                return
            if timer.every:
                self._timers[body.name] = Schedule(body.name, body.ts + timer.every, timer.every)
            else:
                del self._timers[body.name]

    def signals(self) -> list[CellReport]:
        """Return the signals that are to be said again, in order."""
        waiting = list(self._signals.values())
        return [Signals(waiting[first : first + AT_ONCE]) for first in range(0, len(waiting), AT_ONCE)]
