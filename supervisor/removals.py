"""Removals that no engine has carried out yet: written down, for the engine and the daemon may both die.

The journal of a deployment is the engine's. Once the database has forgotten a deployment nothing else names
it, so its name is written down before that, beside the journal, and struck out when an engine says that it is
out of there. What has a deployment again when a daemon begins is left alone: its removal was cut off before
it was done, or its id has been taken anew, and then what is kept under it is not to be dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Container
from pathlib import Path
from typing import Final

import msgspec

from supervisor.errors import Failed
from supervisor.store import whole_file

NAME: Final = "removed.json"
_decode: Final = msgspec.json.Decoder(list[str]).decode


class Removals:
    """The list in ``state_dir``. ``recall`` it first, ``close`` it last."""

    def __init__(self, state_dir: Path) -> None:
        self._file = state_dir / NAME
        self._owed: set[str] = set()
        self._kept: set[str] = set()
        """What the file says."""
        self._one = asyncio.Lock()
        self._striking: asyncio.Task[None] | None = None

    async def recall(self, known: Container[str]) -> list[str]:
        """Return whom an engine still has to forget: who is on the list and not ``known``.

        A list that cannot be read is none: what is left of who was on it stays in the journal.
        """
        try:
            content = await asyncio.to_thread(self._file.read_bytes)
            self._kept = set(_decode(content))
        except (OSError, msgspec.DecodeError):
            self._kept = set()
        self._owed = {name for name in self._kept if name not in known}
        return sorted(self._owed)

    async def owe(self, deployment_id: str) -> None:
        """Write down that it is to be forgotten. Raises ``Failed``, and then it is not."""
        async with self._one:
            self._owed.add(deployment_id)
            try:
                await self._write()
            except OSError as error:
                self._owed.discard(deployment_id)
                raise Failed(f"cannot remove {deployment_id}: {self._file}: {error.strerror}") from None

    def strike(self, deployment_id: str) -> None:
        """Strike it out, soon: until then a daemon that begins would have it forgotten once more."""
        self._owed.discard(deployment_id)
        if self._striking is None or self._striking.done():
            self._striking = asyncio.create_task(self._strike(), name="removals")

    async def close(self) -> None:
        """Have the list as it stands."""
        if self._striking is not None:
            await self._striking

    async def _strike(self) -> None:
        async with self._one:
            with contextlib.suppress(OSError):  # then with the next one
                while self._kept != self._owed:
                    await self._write()

    async def _write(self) -> None:
        owed = set(self._owed)
        await asyncio.to_thread(whole_file.replace, self._file, msgspec.json.encode(sorted(owed)))
        self._kept = owed
