"""Is it a hang? Pure: what the strategy said it runs, since when, and how long that may take."""

from __future__ import annotations

from typing import NamedTuple

from sandbox.protocol import PROGRESS_AFTER, TURN_CALL, Violation, budget_of
from sandbox.spec import Budgets

LOADING = "load"
ONCE = frozenset({"load", "initialize", "load_state", "on_start"})
"""Callbacks on the longest budget: while loading and in the first turn (``Welcome``), never again."""
TURN_SLACK = 60.0
"""Seconds on top of every callback's hard budget that one turn may take: a strategy that names one
callback after the other without ending its turn is a hang too."""
NAMES_A_CALL = 4
NAMES_SLACK = 1000
"""Callbacks that a turn may name: so many for each one it may cause (a fill causes two, a stop three), and
so many more. Naming more is a flood."""


class Decision(NamedTuple):
    """What became of a request for ``seconds`` more for ``call``; ``left`` seconds are in the bucket."""

    call: str
    seconds: float
    granted: bool
    left: float


class Bucket(NamedTuple):
    """Time flowed back: ``left`` seconds are in the bucket."""

    left: float


class Watchdog:
    """The clock of one strategy, and its bucket of extra time. Times are monotonic seconds.

    What is granted extends the hard budget of the callback that runs, and nothing after it; what that
    callback does not use flows back when it is over.
    """

    def __init__(self, budgets: Budgets, now: float) -> None:
        self.call = LOADING
        """The callback that runs, or ran last."""
        self._budgets = budgets
        self._since = now
        self._ends = now + TURN_SLACK + budgets.initialize.hard
        self._names = NAMES_SLACK
        self._turns = 0
        self._granted = 0.0
        extra = budgets.extra
        self._flowed_back = False
        self._left = extra.capacity if extra.left is None else min(extra.capacity, extra.left)
        self._left_at = now
        self._forgiven_at = now
        self._reckon()

    def begin(self, calls: int, now: float) -> None:
        """Start a turn of at most ``calls`` callbacks, on the shortest budget until it says otherwise."""
        self.rest(now)
        self.call = TURN_CALL
        self._since = now
        self._ends = now + TURN_SLACK + calls * self._budgets.candle.hard
        self._names = NAMES_SLACK + calls * NAMES_A_CALL
        self._turns += 1
        self._reckon()

    def progress(self, call: str, now: float) -> None:
        """Note that ``call`` is about to run. ``Violation`` if the turn cannot have so many."""
        self.rest(now)
        self._names -= 1
        if self._names < 0:
            raise Violation(f"names more callbacks than its turn has, the last one {call}")
        self.call = call
        self._since = now
        self._reckon()

    def rest(self, now: float) -> None:
        """Note that the callback is over: what it was granted and did not use flows back."""
        if not self._granted:
            return
        granted, self._granted = self._granted, 0.0
        used = max(0.0, now - self._since - self.allowed)
        unused = max(0.0, granted - used)
        self._ends -= unused
        self._flowed_back = self._flowed_back or unused > 0
        self._left = min(self._budgets.extra.capacity, self.bucket(now) + unused)

    def forgive(self, seconds: float, now: float) -> None:
        """Do not count ``seconds`` for which the strategy was held to its share of CPU.

        Never more than has passed since the last word of it: several threads are held at once, and the
        callback that runs may be a later one.
        """
        seconds = min(seconds, now - max(self._since, self._forgiven_at))
        self._forgiven_at = now
        if seconds > 0:
            self._since += seconds
            self._ends += seconds
            self._reckon()

    def settle(self, now: float) -> Bucket | None:
        """Note the end of a turn; return the bucket if anything flowed back into it."""
        self.rest(now)
        flowed, self._flowed_back = self._flowed_back, False
        return Bucket(self.bucket(now)) if flowed else None

    def ask(self, seconds: float, now: float) -> Decision:
        """Decide on a request for ``seconds`` more: all of it, or nothing. Loading counts too."""
        left = self.bucket(now)
        granted = seconds <= left
        if granted:
            left -= seconds
            self._granted += seconds
            self._ends += seconds
            self._left = left
            self._reckon()
        return Decision(self.call, seconds, granted, left)

    def bucket(self, now: float) -> float:
        """Return the seconds in the bucket, with what flowed in until ``now``."""
        self._left = self._budgets.extra.after(self._left, now - self._left_at)
        self._left_at = now
        return self._left

    def left(self, now: float) -> float:
        """Return how many seconds remain until it is a hang; 0.0 and less is one."""
        return self._hang_at - now

    def _reckon(self) -> None:
        """Set the time of a hang, for it is asked for several times a tick and changes once a callback."""
        # The callback may have begun up to PROGRESS_AFTER later than the last word.
        self._hang_at = min(self._since + self.allowed + PROGRESS_AFTER, self._ends)

    @property
    def allowed(self) -> float:
        """What ``call`` may take in seconds: its hard budget, and what was granted to it."""
        call = TURN_CALL if self._turns > 1 and self.call in ONCE else self.call
        return budget_of(self._budgets, call).hard + self._granted


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

    def level(self, now: float) -> float:
        """Return what is there."""
        self._level = min(self._burst, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level

    def take(self, amount: float, now: float) -> bool:
        """Take ``amount`` if it is there; nothing otherwise."""
        if amount > self.level(now):
            return False
        self._level -= amount
        return True
