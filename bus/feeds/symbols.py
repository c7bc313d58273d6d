"""Which name a publisher's symbol has inside stratd, checked once per symbol and kept.

The default is the publisher's plain symbol. Two venues that quote the same plain symbol are two markets,
and mixing their ticks would make candles of neither: the first venue is pinned and the other refused,
until ``venue_suffix`` gives each its own name, ``SYMBOL.VENUE`` (the convention of NautilusTrader).
"""

from __future__ import annotations

from collections.abc import Iterable

from bus import topics
from bus.feeds.errors import FrameRefused
from bus.feeds.track import Track

MAX_SYMBOLS = 100_000


class Symbols:
    """The tracks of one feed by (plain symbol, venue); venue "" where the format has none.

    ``by_topic`` holds them again by the topic of the native feed's ticks, for its hot path.
    """

    def __init__(self, feed: str, *, venue_suffix: bool = False, limit: int = MAX_SYMBOLS) -> None:
        self.by_topic: dict[bytes, Track] = {}
        self._feed = feed
        self._suffix = venue_suffix
        self._limit = limit
        self._tracks: dict[tuple[str, str], Track] = {}
        self._venues: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._tracks)

    def tracks(self) -> Iterable[Track]:
        """Every track there is."""
        return self._tracks.values()

    def find(self, plain: str) -> Track | None:
        """The track of a symbol without a venue, if there is one."""
        return self._tracks.get((plain, ""))

    def track(self, plain: str, venue: str) -> Track:
        """Find or begin the track of a symbol; raises ``FrameRefused`` with what would have to change."""
        return self._tracks.get((plain, venue)) or self._begin(plain, venue)

    def _begin(self, plain: str, venue: str) -> Track:
        name = f"{plain}.{venue}" if self._suffix and venue else plain
        if not topics.is_symbol(name):
            raise FrameRefused("symbol", f"{name[:80]!a} is no symbol; allowed are {topics.SYMBOL_ALLOWED}")
        pinned = self._venues.get(name, venue)
        if pinned != venue:
            raise FrameRefused(
                "venue_conflict",
                f"{name} comes from {pinned or 'no venue'} and now from {venue or 'no venue'}: set"
                f" venue_suffix = true in [feeds.{self._feed}] to have both, as {name}.VENUE",
            )
        if len(self._tracks) >= self._limit:
            raise FrameRefused("too_many_symbols", f"{name}: this feed has {self._limit} symbols already")
        self._venues[name] = venue
        found = self._tracks[plain, venue] = Track(name)
        if not venue:
            self.by_topic[b"tick." + name.encode()] = found
        return found
