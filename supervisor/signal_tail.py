"""Signals with their verdicts, for whoever looks: read from the journal, and woken when it grew.

The journal belongs to the engine; here it is only read, through a connection of its own (SQLite in WAL mode:
a reader and the writer never wait for each other), on a thread of its own, because a disk may block.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from supervisor.errors import Unavailable
from supervisor.schema import SignalView
from supervisor.store.journal_file import JournalError
from supervisor.store.journal_reader import JournalReader

T = TypeVar("T")

BATCH = 1000
"""Signals read at once."""


class SignalTail:
    """Owns a reader of the journal at ``path``, opened at the first question, and the thread it lives on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: JournalReader | None = None
        self._thread = ThreadPoolExecutor(1, "journal")
        self._grown = asyncio.Condition()
        self._seq = 0
        self._closed = False

    @property
    def seq(self) -> int:
        """Where the journal stood when it was last heard of."""
        return self._seq

    async def ask(self, question: Callable[[JournalReader], T]) -> T:
        """Ask the reader something on its thread. Raises ``Unavailable`` if the journal cannot be read."""

        def work() -> T:
            if self._reader is None:
                self._reader = JournalReader.open(self._path)
            return question(self._reader)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except JournalError as error:
            # The engine may have moved a broken file aside and begun a new one: look again next time.
            if self._reader is not None:
                self._reader.close()
                self._reader = None
            raise Unavailable(f"the journal cannot be read: {error}") from None

    async def look_again(self) -> None:
        """Open the journal anew at the next question: an engine may have put another in its place."""

        def work() -> None:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def grew(self, seq: int) -> None:
        """Take note of where the journal stands."""
        if seq != self._seq:
            async with self._grown:
                self._seq = seq
                self._grown.notify_all()

    async def close(self) -> None:
        """End every follower and close the reader."""
        async with self._grown:
            self._closed = True
            self._grown.notify_all()
        if self._reader is not None:
            await self.ask(lambda reader: reader.close())
        self._thread.shutdown()

    async def read(
        self, deployment_id: str | None, after: int | None, n: int, *, follow: bool
    ) -> AsyncIterator[SignalView]:
        """Yield signals numbered above ``after`` (at most ``n``), else the last ``n``; then all that come."""
        seen = self._seq
        rows = await self.ask(lambda reader: reader.signals(deployment_id, after, n))
        last = after or 0
        for row in rows:
            last = int(str(row["seq"]))
            yield SignalView.model_validate(row)
        if after is None and not rows:
            last = seen
        while follow and not self._closed:
            rows = await self.ask(functools.partial(_after, deployment_id, last))
            for row in rows:
                last = int(str(row["seq"]))
                yield SignalView.model_validate(row)
            if len(rows) < BATCH:
                seen = await self.beyond(seen)

    async def beyond(self, seen: int) -> int:
        """Wait until the journal is known to stand elsewhere than at ``seen``, or until ``close``; where."""
        async with self._grown:
            await self._grown.wait_for(lambda: self._closed or self._seq != seen)
            return self._seq


def _after(deployment_id: str | None, last: int, reader: JournalReader) -> list[dict[str, object]]:
    return reader.signals(deployment_id, last, BATCH)
