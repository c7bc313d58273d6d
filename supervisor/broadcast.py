"""One to many, inside the loop: whoever follows gets everything from now on, or is cut off.

A follower that does not keep up is cut off and never waited for: supervision must not depend on who looks
at it. What it missed it asks for by number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

BACKLOG = 10_000
"""Items that one follower may be behind."""


class Follower(Generic[T]):
    """An async iterator over what is published; it ends when cut off, when closed, or with the broadcast."""

    def __init__(self, broadcast: Broadcast[T], backlog: int) -> None:
        self._broadcast = broadcast
        self._backlog = backlog
        self._items: deque[T] = deque()
        self._news = asyncio.Event()
        self._open = True
        self.cut_off = False

    def put(self, items: Iterable[T]) -> None:
        """Hand over items; past the backlog this follower is cut off."""
        self._items.extend(items)
        if len(self._items) > self._backlog:
            self._items.clear()
            self.cut_off = True
            self.close()
        self._news.set()

    def close(self) -> None:
        """Leave. Items already handed over can still be read."""
        self._open = False
        self._broadcast.leave(self)
        self._news.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if not self._open:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()


class Broadcast(Generic[T]):
    """Publishes to every follower; costs one test while nobody follows."""

    def __init__(self, backlog: int = BACKLOG) -> None:
        self._backlog = backlog
        self._followers: set[Follower[T]] = set()

    def follow(self) -> Follower[T]:
        """Begin to follow from the next item on."""
        follower = Follower(self, self._backlog)
        self._followers.add(follower)
        return follower

    def leave(self, follower: Follower[T]) -> None:
        """Stop publishing to a follower; twice is fine."""
        self._followers.discard(follower)

    def publish(self, items: Iterable[T]) -> None:
        """Hand items to everybody who follows."""
        if self._followers:
            items = list(items)
            for follower in list(self._followers):
                follower.put(items)

    def close(self) -> None:
        """End every follower."""
        for follower in list(self._followers):
            follower.close()
