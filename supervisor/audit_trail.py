"""The audit trail: every request that was to change something, durable within a moment, never waited for.

``note`` queues; one task writes what has gathered. While the database cannot be written, records wait in
memory, up to ``MOST_WAITING`` of them; what is dropped then is counted (``dropped``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from supervisor.errors import Unavailable
from supervisor.store.audit import AuditRecord
from supervisor.store.deployments import StoreError

MOST_WAITING: Final = 10_000
AGAIN: Final = 1.0
"""Seconds until a database that could not be written is tried again."""


class Shelf(Protocol):
    """Where records are kept (supervisor/store/audit.py)."""

    def add(self, records: list[AuditRecord]) -> None:
        """Append them."""
        ...

    def page(self, before: int | None, limit: int) -> list[AuditRecord]:
        """Return some, the newest first."""
        ...


class AuditTrail:
    """``start``, then ``note``; ``close`` writes what is left."""

    def __init__(self, shelf: Shelf, in_database: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self.dropped = 0
        """Records that were lost because the database could not be written for too long."""
        self._shelf = shelf
        self._in_database = in_database
        self._waiting: deque[AuditRecord] = deque()
        self._news = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """Begin to write."""
        self._writer = asyncio.create_task(self._write_on(), name="audit")

    async def close(self) -> None:
        """Write what waits, if it can be written, and stop."""
        if self._writer is not None:
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
            with contextlib.suppress(StoreError):
                await self._write()

    def note(self, record: AuditRecord) -> None:
        """Keep a record; never waits."""
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(record)
        self._news.set()

    async def page(self, before: int | None, limit: int) -> list[AuditRecord]:
        """Return up to ``limit`` records numbered below ``before``, newest first. Raises ``Unavailable``."""
        try:
            await self._write()
            found: list[AuditRecord] = await self._in_database(lambda: self._shelf.page(before, limit))
        except StoreError as error:
            raise Unavailable(f"the audit trail cannot be read: {error}") from None
        return found

    async def _write_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._write()
            except StoreError:
                await asyncio.sleep(AGAIN)
                self._news.set()

    async def _write(self) -> None:
        # Shielded: a write that is cut off by ``close`` would be taken for one that was never made.
        await asyncio.shield(self._write_once())

    async def _write_once(self) -> None:
        async with self._writing:
            records = list(self._waiting)
            if not records:
                return
            self._waiting.clear()
            try:
                await self._in_database(lambda: self._shelf.add(records))
            except StoreError:
                self._waiting.extendleft(reversed(records))  # in order before what came meanwhile
                raise
