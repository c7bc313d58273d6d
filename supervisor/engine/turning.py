"""Whole feeds that are lost, or are back: told to the supervisor, which acts on it (``on_loss``).

A feed that this engine has just opened and not heard yet is not lost: an engine that is new has heard nobody.
Only when that lasts is it told; the cells are told at once, as of every change.
"""

from __future__ import annotations

from collections.abc import Callable

from supervisor.control import FeedTurned

SECOND = 1_000_000_000
PATIENCE = 3 * SECOND
"""How long a feed may take to be heard for the first time: as long as a heartbeat may take by default."""


class Turning:
    """``tell`` is the supervisor's end. Times are monotonic, ns."""

    def __init__(self, tell: Callable[[FeedTurned], None]) -> None:
        self._tell = tell
        self._opened: dict[str, int] = {}
        """Feeds that were never heard so far, and since when they are open."""
        self._held: dict[str, FeedTurned] = {}

    def opened(self, feed: str, now: int) -> None:
        """A feed is open from here on."""
        self._opened[feed] = now

    def closed(self, feed: str) -> None:
        """A feed is read no more."""
        self._opened.pop(feed, None)
        self._held.pop(feed, None)

    def turned(self, turned: FeedTurned, now: int, *, heard: bool) -> None:
        """Tell of a feed that is lost, or back; of one that was never ``heard`` once its patience is over."""
        if turned.healthy or heard:
            self._opened.pop(turned.feed, None)
        self._held.pop(turned.feed, None)
        if now - self._opened.get(turned.feed, now - PATIENCE) < PATIENCE:
            self._held[turned.feed] = turned
        else:
            self._tell(turned)

    def look(self, now: int) -> None:
        """Tell of those whose patience is over. Called once a second."""
        over = [feed for feed in self._held if now - self._opened.get(feed, 0) >= PATIENCE]
        for feed in over:
            self._tell(self._held.pop(feed))
