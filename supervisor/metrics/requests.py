"""Requests to the API, counted by method, route and status. Pure."""

from __future__ import annotations

from collections import Counter
from typing import Final

from bus.histogram import Buckets, Histogram

BOUNDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0)
"""Bounds in seconds: the API answers from memory in one or two milliseconds; a stop waits for processes."""
METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
"""Methods that are named; a client may send any word."""


class Requests:
    """``route`` is a template (``/api/v1/deployments/{deployment_id}``), so that there are only so many."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str, int]] = Counter()
        """By (method, route, status)."""
        self._seconds: dict[str, Histogram] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered with ``status`` after ``seconds``."""
        self.counts[method if method in METHODS else "other", route, status] += 1
        self._seconds.setdefault(route, Histogram(BOUNDS)).note(seconds)

    def seconds(self) -> dict[str, Buckets]:
        """Return how long it took until an answer began, by route."""
        return {route: histogram.told() for route, histogram in self._seconds.items()}
