"""How often something may happen: a moving window a key or an address, and the headers that tell of it.

``RateLimit-Policy`` and ``RateLimit`` are those of draft-ietf-httpapi-ratelimit-headers-10.
"""

from __future__ import annotations

import math
import time

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from msgspec import Struct

Headers = list[tuple[bytes, bytes]]


class Left(Struct, frozen=True):
    """What one may still do: whether this was within the limit, how many more, and seconds until more."""

    within: bool
    remaining: int
    seconds: int


class Rate:
    """At most so many in a moving window, as ``100/second``, for each of ``who`` separately."""

    def __init__(self, name: str, rate: str) -> None:
        self._name = name
        self._item = parse(rate)
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def take(self, who: str) -> Left:
        """Count one more of ``who`` and return what is left."""
        within = self._window.hit(self._item, self._name, who)
        return self._left(who, within=within)

    def left(self, who: str) -> Left:
        """Return what is left without counting."""
        return self._left(who, within=self._window.test(self._item, self._name, who))

    def _left(self, who: str, *, within: bool) -> Left:
        stats = self._window.get_window_stats(self._item, self._name, who)
        return Left(within, stats.remaining, max(1, math.ceil(stats.reset_time - time.time())))

    def headers(self, left: Left) -> Headers:
        """Return what a client is told of its limit."""
        name = self._name
        policy = f'"{name}";q={self._item.amount};w={self._item.get_expiry()}'
        told = [
            (b"ratelimit-policy", policy.encode()),
            (b"ratelimit", f'"{name}";r={left.remaining};t={left.seconds}'.encode()),
        ]
        return told if left.within else [*told, (b"retry-after", str(left.seconds).encode())]
