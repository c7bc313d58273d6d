"""One deployment as the gate sees it: who it is, whether it may trade now, how fast, and its counts."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from bus.messages import Decision
from strategies.trading.limits import Limits
from strategies.trading.records import Tally
from strategies.trading.ttl import SECOND

LISTED_PER_S: Final = 20
"""Refusals a second that are journalled and answered one by one; the rest of a flood is summed up.

Without it a child that loops over a bad signal would fill the disk at the speed of its pipe."""
LULL: Final = 1 * SECOND
"""A flood is over once nothing was refused for so long: who is over the rate once a second is none."""
LISTED_BURST: Final = 1_000
"""What one callback may return (bus/messages.Signals), so a single bad batch is always listed whole."""


class Grant(Struct, frozen=True, kw_only=True):
    """What the supervisor granted to one instance: the identity that every signal of it gets.

    An instance that is refused for its rate for ``flood_after_s`` without a lull is to be ended.
    """

    deployment_id: str
    generation: int
    strategy: str = ""
    version: str = ""
    code_hash: str = ""
    account_id: str = ""
    trading_mode: str = "paper"
    symbols: list[str] = []
    timeframes: list[str] = []
    risk: dict[str, Any] = {}
    signals_per_s: int = 200
    flood_after_s: float = 10.0


class Standing(Enum):
    """What an instance may do now, apart from being warm."""

    GONE = "gone"
    OPEN = "open"
    EXIT_ONLY = "exit_only"
    PAUSED = "paused"
    DRAINING = "draining"
    STOPPING = "stopping"


Verb: TypeAlias = Literal["pause", "resume", "stop"]
_S = Standing
DIRECTIONS: Final[dict[tuple[Verb, bool], dict[Standing, Standing]]] = {
    # (verb, exit_only): {from: to}; what is not here stays as it is: a stop is final, the gone stay gone.
    ("pause", False): {_S.OPEN: _S.PAUSED, _S.EXIT_ONLY: _S.PAUSED},
    ("pause", True): {_S.OPEN: _S.EXIT_ONLY, _S.PAUSED: _S.EXIT_ONLY},
    ("resume", False): {_S.PAUSED: _S.OPEN, _S.EXIT_ONLY: _S.OPEN},
    ("resume", True): {_S.PAUSED: _S.EXIT_ONLY, _S.OPEN: _S.EXIT_ONLY},
    ("stop", False): {
        _S.OPEN: _S.STOPPING, _S.EXIT_ONLY: _S.STOPPING, _S.PAUSED: _S.STOPPING, _S.DRAINING: _S.STOPPING,
    },
    # The last word of a strategy that is asked for its exits (stop_policy "ask").
    ("stop", True): {_S.OPEN: _S.DRAINING, _S.EXIT_ONLY: _S.DRAINING, _S.PAUSED: _S.DRAINING},
}  # fmt: skip
del _S


class Bucket:
    """A token bucket: ``rate`` tokens a second, at most ``burst`` at once, full at first.

    Time is an argument (ns). A clock that runs backwards adds nothing and takes nothing.
    """

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = 0

    def level(self, now: int) -> float:
        """Return the tokens there are at ``now``."""
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate / SECOND)
            self._at = now
        return self._tokens

    def take(self) -> None:
        """Use up one token of those that ``level`` told of."""
        self._tokens -= 1


class Flood:
    """Refusals for their rate that go on without a lull: since when.

    Time is an argument (ns). A clock that runs backwards makes a flood neither longer nor end.
    """

    __slots__ = ("_last", "_since")

    def __init__(self) -> None:
        self._since = 0
        self._last = 0

    def note(self, now: int) -> float:
        """Note a refusal at ``now``; return for how many seconds they have gone on."""
        if not self._last or now - self._last > LULL:
            self._since = now
        self._last = max(self._last, now)
        return max(0, now - self._since) / SECOND


class Desk:
    """The mutable state of one deployment beside its books and orders. Outlives its instances."""

    __slots__ = (
        "_flood", "_listing", "counts", "flushed_at", "grant", "limits", "rate", "standing", "symbols",
        "timeframes", "warm", "withheld",
    )  # fmt: skip

    def __init__(self, deployment_id: str) -> None:
        self.grant = Grant(deployment_id=deployment_id, generation=0)
        self.standing = Standing.GONE
        self.warm = False
        self.symbols: frozenset[str] = frozenset()
        self.timeframes: frozenset[str] = frozenset()
        self.limits = Limits()
        self.rate = Bucket(1, 1)
        self._flood: Flood | None = Flood()
        self._listing = Bucket(LISTED_PER_S, LISTED_BURST)
        self.counts: Counter[str] = Counter()
        self.withheld: Counter[tuple[int, Decision, str]] = Counter()
        self.flushed_at = 0

    def attach(self, grant: Grant) -> bool:
        """Take on a new instance; False for one that is older than the present one.

        The same generation again changes nothing but the grant, so the word may be repeated.
        """
        if grant.generation < self.grant.generation:
            return False
        if grant.generation > self.grant.generation or self.standing is Standing.GONE:
            self.standing, self.warm = Standing.OPEN, False
            self.rate = Bucket(grant.signals_per_s, max(1, grant.signals_per_s))
            self._flood = Flood()
        self.grant = grant
        self.symbols = frozenset(grant.symbols)
        self.timeframes = frozenset(grant.timeframes)
        self.limits = Limits.of(grant.risk)
        return True

    def direct(self, verb: Verb, exit_only: bool) -> None:
        """Follow a command of the supervisor (``DIRECTIONS``)."""
        self.standing = DIRECTIONS[verb, exit_only].get(self.standing, self.standing)

    def may_list(self, now: int) -> bool:
        """Whether one more refusal is journalled and answered by itself."""
        if self._listing.level(now) < 1:
            return False
        self._listing.take()
        return True

    def flooding(self, refused: bool, now: int) -> str:
        """Return why the instance is to be ended, "" if it is not; said once an instance.

        ``refused``: a signal was, for its own rate. What is let through in between is no lull, since a flood
        gets its share of the bucket too.
        """
        if not refused or self._flood is None:
            return ""
        lasted = self._flood.note(now)
        if lasted < self.grant.flood_after_s:
            return ""
        self._flood = None
        return f"more than {self.grant.signals_per_s} signals a second for {lasted:.1f} s"

    def count(self, decision: Decision, times: int = 1) -> None:
        """Count a verdict; a modified signal is an accepted one."""
        self.counts["accepted" if decision == "modified" else decision] += times

    def tally(self, *, with_withheld: bool = False) -> Tally:
        """Return the counts as a frozen record; with those of a flood that are not summed up yet."""
        counts = Counter(self.counts)
        if with_withheld:
            for (_, decision, _), times in self.withheld.items():
                counts[decision] += times
        return Tally(
            self.grant.deployment_id,
            counts["accepted"],
            counts["rejected"],
            counts["duplicate"],
            counts["expired"],
        )
