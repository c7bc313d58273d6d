"""Is it a hang? Pure: what the strategy said it runs, since when, and how long that may take."""

from __future__ import annotations

from sandbox.protocol import PROGRESS_AFTER, budget_of
from sandbox.spec import Budgets

LOADING = "load"
TURN_SLACK = 60.0
"""Seconds on top of every callback's hard budget that one turn may take: a strategy that names one
callback after the other without ending its turn is a hang too."""


class Watchdog:
    """The clock of one strategy. Times are monotonic seconds."""

    def __init__(self, budgets: Budgets, now: float) -> None:
        self.call = LOADING
        """The callback that runs, or ran last."""
        self._budgets = budgets
        self._since = now
        self._ends = now + TURN_SLACK + budgets.initialize.hard

    def begin(self, calls: int, now: float) -> None:
        """Start a turn of at most ``calls`` callbacks, on the shortest budget until it says otherwise."""
        self.call = "on_tick"
        self._since = now
        self._ends = now + TURN_SLACK + calls * self._budgets.candle.hard

    def progress(self, call: str, now: float) -> None:
        """Note that ``call`` is about to run."""
        self.call = call
        self._since = now

    def left(self, now: float) -> float:
        """Return how many seconds remain until it is a hang; 0.0 and less is one."""
        # The callback may have begun up to PROGRESS_AFTER later than the last word.
        return min(self._since + self.allowed + PROGRESS_AFTER, self._ends) - now

    @property
    def allowed(self) -> float:
        """Hard budget of ``call`` in seconds."""
        return budget_of(self._budgets, self.call).hard


class Pace:
    """How many ticks go into one turn: about ``TARGET`` seconds' worth, by how fast the last ones went.

    A turn cannot be taken back, so a slow strategy gets small ones and the rest can be conflated.
    """

    TARGET = 0.05
    MOST = 5000

    def __init__(self) -> None:
        self._per_call = 0.0

    def note(self, calls: int, took: float) -> None:
        """Learn from a turn of ``calls`` that took so many seconds."""
        per_call = took / calls
        self._per_call += 0.2 * (per_call - self._per_call)

    @property
    def ticks(self) -> int:
        """Ticks for the next turn, at least 1."""
        if self._per_call * self.MOST <= self.TARGET:
            return self.MOST
        return max(1, int(self.TARGET / self._per_call))


class TokenBucket:
    """``rate`` a second, ``burst`` at once."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, amount: float, now: float) -> bool:
        """Take ``amount`` if it is there; nothing otherwise."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        if amount > self._level:
            return False
        self._level -= amount
        return True
