"""One listener of the hub: its place, its queue, its end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from supervisor.streaming.cursor import Cursor
from supervisor.streaming.message import Message, Subscription

BACKLOG = 10_000
"""Messages that a listener may be behind, before it is cut off."""
BATCH = 256
"""Messages that are handed over together, at most."""
Sent = tuple[str, str, str]
"""What a listener is sent of one message: (id, topic, JSON)."""


class Stream:
    """An async iterator over batches of ``Sent``; it ends when cut off, when closed, or with the hub.

    ``past`` yields what is kept since the cursor, page by page; then comes what was ``put`` meanwhile. What
    is in both is told once. ``cut_off`` is set when the listener was too slow: it must not be waited for.
    """

    def __init__(
        self,
        wanted: Subscription,
        start: Cursor,
        *,
        past: Callable[[Stream], AsyncIterator[Sequence[Message]]] | None,
        leave: Callable[[Stream], Awaitable[None]],
        backlog: int = BACKLOG,
    ) -> None:
        self.wanted = wanted
        self.at = start
        self.cut_off = asyncio.Event()
        self.following = False
        """Whether what is published is put into its queue."""
        self._past = past
        self._leave = leave
        self._backlog = backlog
        self._queue: deque[Message] = deque()
        self._news = asyncio.Event()
        self._open = True

    def put(self, messages: Iterable[Message]) -> None:
        """Take messages in; past the backlog the listener is cut off. Never waits."""
        self._queue.extend(message for message in messages if self.wanted.wants(message))
        if len(self._queue) > self._backlog:
            self._queue.clear()
            self.end()
            self.cut_off.set()
        self._news.set()

    def begin(self, messages: Iterable[Message]) -> None:
        """Take in what it is told first, however much that is."""
        self._queue.extend(messages)
        self._backlog += len(self._queue)

    def end(self) -> None:
        """Let the listener go, once it has what was put."""
        self._open = self.following = False
        self._news.set()

    async def aclose(self) -> None:
        """Leave the hub. Twice is fine."""
        self.end()
        await self._leave(self)

    async def __aiter__(self) -> AsyncIterator[list[Sent]]:
        """Yield what it is to be sent, in batches, from the past into the present."""
        if self._past is not None:
            async for page in self._past(self):
                if batch := self._take(page):
                    yield batch
                if not self._open:
                    return
        while True:
            while self._queue:
                some = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
                if batch := self._take(some):
                    yield batch
            if not self._open:
                return
            self._news.clear()
            await self._news.wait()

    def _take(self, messages: Iterable[Message]) -> list[Sent]:
        """Return what is sent of ``messages``, and stand behind them."""
        batch: list[Sent] = []
        for message in messages:
            if message.source == "event":
                if message.seq <= self.at.event:
                    continue
                self.at = Cursor(message.seq, self.at.record)
            elif message.source == "record":
                if message.seq <= self.at.record:
                    continue
                self.at = Cursor(self.at.event, message.seq)
            if self.wanted.wants(message):
                batch.append((str(self.at), message.topic, self.wanted.data(message)))
        return batch
