"""Durations counted in fixed buckets: what a process that must stay quick can afford to keep. Pure.

Bounds are upper and inclusive, as Prometheus has them (prometheus.io/docs/concepts/metric_types, "le").
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from msgspec import Struct

TURNS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
"""Bounds in seconds for turns of strategies: from a tick that is only looked at to what a watchdog ends."""
COMMITS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5)
"""Bounds in seconds for commits to the journal: from the page cache to a disk that is in trouble."""


class Buckets(Struct, array_like=True, frozen=True):
    """``counts`` of each bucket alone, one more than bounds, the last without a bound; ``total`` seconds.

    Empty: nothing was measured yet.
    """

    counts: list[int] = []
    total: float = 0.0

    def plus(self, other: Buckets) -> Buckets:
        """Return both together; of what has no counts of the same bounds, the first alone."""
        if not self.counts:
            return other
        if len(self.counts) != len(other.counts):
            return self
        return Buckets(
            [mine + theirs for mine, theirs in zip(self.counts, other.counts, strict=True)],
            self.total + other.total,
        )


class Histogram:
    """Counts what is noted, from 0."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def note(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._total += seconds

    def told(self) -> Buckets:
        """Return what was counted so far."""
        return Buckets(list(self._counts), self._total)
