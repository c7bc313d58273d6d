"""When a cell says hello: quickly at first, then ten times a second, until it is welcomed. Pure."""

from __future__ import annotations

CADENCE = (0.01, 0.02, 0.05, 0.1)
"""Seconds from one hello to the next; the last value is repeated.

The first hello may reach the engine before our subscription does, and its answer then reaches nobody.
"""
CONNECTING = 0.001
"""Seconds until the next try while the pipe to the engine is not up yet,"""
AWAY = 0.05
"""and once ``PATIENCE`` seconds have shown that the engine is away."""
PATIENCE = 0.2


class Hellos:
    """The clock of the hellos to one run of the engine. Times are monotonic seconds."""

    def __init__(self, now: float) -> None:
        self._began = self._next = now
        self._said = 0

    def due(self, now: float) -> bool:
        """Whether it is time for one."""
        return now >= self._next

    def wait(self, now: float) -> float:
        """Seconds until the next one is due."""
        return max(0.0, self._next - now)

    def said(self, now: float, *, sent: bool) -> None:
        """Note a try, and whether the pipe took it."""
        if sent:
            self._next = now + CADENCE[min(self._said, len(CADENCE) - 1)]
            self._said += 1
        else:
            self._next = now + (CONNECTING if now - self._began < PATIENCE else AWAY)

    def answered(self, now: float) -> None:
        """Begin anew: the next hello, whenever it is needed, goes to another run of the engine."""
        self._began = self._next = now
        self._said = 0
