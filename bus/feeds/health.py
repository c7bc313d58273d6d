"""How a feed is, as a pure function of what was heard when and of ``now``.

::

    disconnected   nothing usable was heard yet, or the connection was lost and nothing came since
    healthy        something was heard within the limit
    stale          nothing was heard for longer than the limit
    gap            told of symbols, not of the feed: sequence numbers are missing

The limit is ``heartbeat`` once the feed has sent a heartbeat. Without heartbeats, silence may as well be a
quiet market, so only the longer ``silence`` counts (candles.md 6 needs to know the difference).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from bus.messages import FeedStatus

SECOND = 10**9
GAPS_EVERY = SECOND
"""Gaps of one feed are told no more often than this: a feed that loses much must not flood its readers."""
MAX_NAMED = 1000
"""Symbols named in one status; more are told as all of the feed's."""

State: TypeAlias = Literal["healthy", "stale", "gap", "disconnected"]


class Gap(Struct, frozen=True):
    """Ticks missing of one symbol between the event times ``since`` and ``until`` (ns)."""

    symbol: str
    since: int
    until: int
    missing: int
    restarted: bool = False

    def join(self, later: Gap) -> Gap:
        """Make one of two gaps of the same symbol."""
        return Gap(
            self.symbol,
            min(self.since, later.since),
            max(self.until, later.until),
            self.missing + later.missing,
            self.restarted or later.restarted,
        )

    def __str__(self) -> str:
        if self.restarted:
            return f"{self.symbol}: the publisher began to count again"
        return f"{self.symbol}: {self.missing} missing"


class Heard(Struct, frozen=True):
    """What a feed has been heard to do: times in ns, 0 for never; ``notes`` is what cannot be told of it."""

    at: int = 0
    beat_at: int = 0
    lost_at: int = 0
    lost: str = ""
    notes: tuple[str, ...] = ()


def judge(heard: Heard, now: int, heartbeat: int, silence: int) -> tuple[State, str]:
    """Give the state of a feed and one line about it; spans in ns."""
    if heard.lost_at and heard.lost_at >= heard.at:
        return "disconnected", heard.lost
    if not heard.at:
        return "disconnected", "nothing usable received yet"
    limit = heartbeat if heard.beat_at else silence
    if now - heard.at > limit:
        return "stale", f"silent for more than {limit / SECOND:g} s"
    return "healthy", "; ".join(heard.notes)


class Teller:
    """Remembers what was told, so that ``FeedStatus`` goes out only when something changed."""

    def __init__(self, feed: str) -> None:
        self._feed = feed
        self._told: tuple[State, str] | None = None
        self.state: State = "disconnected"
        self._untold: dict[str, Gap] = {}
        self._gapped: list[str] = []
        self._gaps_at = 0

    def changes(self, state: State, detail: str, gaps: dict[str, Gap], now: int) -> list[FeedStatus]:
        """Give what is new: the feed first, then its gaps.

        A gap is told once, and those within ``GAPS_EVERY`` of it together, after that. When that long
        there was no other, its symbols are told healthy again.
        """
        told: list[FeedStatus] = []
        for symbol, gap in gaps.items():
            before = self._untold.get(symbol)
            self._untold[symbol] = before.join(gap) if before else gap
        if (state, detail) != self._told:
            self._told, self.state = (state, detail), state
            told.append(FeedStatus(self._feed, state, now, detail))
        if 0 <= now - self._gaps_at < GAPS_EVERY:
            return told
        if self._untold:
            told.append(self._gap(now))
        elif self._gapped and state == "healthy":
            told.append(FeedStatus(self._feed, "healthy", now, "in sequence again", _named(self._gapped)))
            self._gapped = []
        return told

    def _gap(self, now: int) -> FeedStatus:
        gaps, self._untold, self._gaps_at = self._untold, {}, now
        names = sorted(gaps)
        self._gapped = sorted({*self._gapped, *names})
        worst = [str(gaps[symbol]) for symbol in names[:3]]
        more = f" and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        return FeedStatus(self._feed, "gap", now, ", ".join(worst) + more, _named(names))


def _named(symbols: list[str]) -> list[str]:
    return symbols if len(symbols) <= MAX_NAMED else []
