"""What an engine that comes back after a crash has to be told again. Pure.

Signals that were in a pipe when it died may be in its journal or not, and nobody can tell. So those without a
verdict are sent again: their keys are the same, and what was accepted is answered ``duplicate``. Timers are
in the engine's memory alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from bus.messages import Acked, CellReport, CommandBody, Schedule, Signal, Signals, TimerFired

MOST = 1_000
"""Signals kept without a verdict, the oldest forgotten: what one ``Signals`` holds."""
TIMERS = 64
"""Timers kept: what the engine grants one deployment (supervisor/engine/timers.py)."""


class Pending:
    """Of one cell: what it asked for, until the engine has answered."""

    def __init__(self) -> None:
        self._signals: dict[int, Signal] = {}
        self._timers: dict[str, Schedule] = {}

    def asked(self, signals: Iterable[Signal]) -> None:
        """Note signals on their way to the engine, in order."""
        for signal in signals:
            self._signals[signal.number] = signal
        while len(self._signals) > MOST:
            del self._signals[next(iter(self._signals))]

    def armed(self, timer: Schedule) -> None:
        """Note a timer; the same name again replaces it."""
        if timer.name in self._timers or len(self._timers) < TIMERS:
            self._timers[timer.name] = timer

    def heard(self, body: CommandBody) -> None:
        """Take what the engine said of it."""
        if isinstance(body, Acked):
            number = body.ack.number
            # Verdicts come in order, and the refusals of a flood not at all: all before this one are decided.
            while number in self._signals:
                del self._signals[next(iter(self._signals))]
        elif isinstance(body, TimerFired):
            timer = self._timers.get(body.name)
            if timer is not None and not timer.every:
                del self._timers[body.name]

    def reports(self) -> list[CellReport]:
        """Return what is to be said again, in order."""
        signals: list[CellReport] = [Signals(list(self._signals.values()))] if self._signals else []
        return [*signals, *self._timers.values()]
