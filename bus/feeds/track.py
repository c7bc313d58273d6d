"""What is remembered of one symbol: its clocks, its sequence, its trade ids. All of it is bounded."""

from __future__ import annotations

from msgspec import Struct

from bus.feeds.readings import EARLIEST
from bus.feeds.snapshots import Seen

DUPLICATE = -1
RESTARTED = -2

MAX_MISSING = 64
"""Sequence numbers remembered as missing, a symbol: how far back a late tick still finds its place."""
MAX_IDS = 4096
"""Trade ids kept in each of two generations, a symbol."""


class SymbolKnown(Struct, array_like=True, frozen=True):
    """What must outlive an engine, so that a duplicate is one and a gap too: the next number, the clocks."""

    next_seq: int
    traded_at: int = EARLIEST
    quoted_at: int = EARLIEST


class Track:
    """One symbol of one feed. Times are ns; ``next_seq`` is None while the publisher does not count.

    Trades, quotes and what we or the publisher stamped ourselves have a clock each: they come through
    separate queues and from separate clocks, so only within a kind does an order mean anything.
    ``newest`` is the latest of the first two.
    """

    __slots__ = (
        "_ids", "_ids_since", "_missing", "_old_ids",
        "bars", "newest", "next_seq", "quoted_at", "seen", "stamped_at", "symbol", "traded_at",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.next_seq: int | None = None
        self.traded_at = EARLIEST
        self.quoted_at = EARLIEST
        self.stamped_at = EARLIEST
        self.newest = EARLIEST
        self.seen = Seen()
        self.bars: dict[str, tuple[int, bool]] = {}
        self._missing: set[int] = set()
        self._ids: set[str] = set()
        self._old_ids: set[str] = set()
        self._ids_since = EARLIEST

    def follow(self, seq: int, ts: int) -> int:
        """Take note of a sequence number: ``DUPLICATE``, ``RESTARTED``, or how many are missing before it.

        A number that was passed over and comes late is in order after all. One that was not, with a time
        newer than everything before, is a publisher that started to count again.
        """
        expected = self.next_seq
        if expected is None or seq == expected:
            self.next_seq = seq + 1
            return 0
        if seq > expected:
            self._missing.update(range(max(expected, seq - MAX_MISSING), seq))
            while len(self._missing) > MAX_MISSING:
                self._missing.remove(min(self._missing))
            self.next_seq = seq + 1
            return seq - expected
        if seq in self._missing:
            self._missing.remove(seq)
            return 0
        if ts <= self.newest:
            return DUPLICATE
        self._missing.clear()
        self.next_seq = seq + 1
        return RESTARTED

    def follow_to(self, last_seq: int) -> int:
        """Take note that the publisher's last number was this one, and return how many of it never came.

        A lower number than ours is a publisher that counts again; its next tick will tell.
        """
        expected = self.next_seq
        if expected is None:
            self.next_seq = last_seq + 1
            return 0
        if last_seq < expected:
            return 0
        self.follow(last_seq + 1, self.newest)
        self.next_seq = last_seq + 1
        return last_seq + 1 - expected

    def misses(self, seq: int) -> bool:
        """Tell whether numbers are missing before ``seq``."""
        return self.next_seq is not None and seq > self.next_seq

    def known(self) -> SymbolKnown | None:
        """What must outlive an engine; None for a symbol that is not counted."""
        if self.next_seq is None:
            return None
        return SymbolKnown(self.next_seq, self.traded_at, self.quoted_at)

    def resume(self, known: SymbolKnown) -> None:
        """Go on from what another engine knew."""
        self.next_seq, self.traded_at, self.quoted_at = known.next_seq, known.traded_at, known.quoted_at
        self.newest = max(self.traded_at, self.quoted_at)

    def knows(self, trade_id: str) -> bool:
        """Tell whether this trade was delivered already."""
        return trade_id in self._ids or trade_id in self._old_ids

    def remember(self, trade_id: str, reorder: int) -> None:
        """Keep the id of a delivered trade for as long as its repetition would pass as in order.

        Two generations: once the clock is more than the allowance ``reorder`` past the birth of the
        younger, every trade in the older is too old to be delivered again, and its ids go.
        """
        if self.traded_at - self._ids_since > reorder or len(self._ids) >= MAX_IDS:
            self._old_ids, self._ids = self._ids, set()
            self._ids_since = self.traded_at
        self._ids.add(trade_id)

    def advance(self, ts: int, traded: bool) -> None:
        """Move the clock of trades or of quotes on to ``ts``; an older one changes nothing."""
        if traded:
            self.traded_at = max(self.traded_at, ts)
        else:
            self.quoted_at = max(self.quoted_at, ts)
        self.newest = max(self.newest, ts)
