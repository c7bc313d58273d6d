"""What the engine is to know of money: terms, accounts, instruments, in a file of the state directory.

Rules of this file. The engine's own channel has messages of bounded size, and an instruments file has not;
and an engine that starts has to know all this before it is configured, since it fills again what its
predecessor may not have kept. So it lies in a file that is replaced as a whole, and the engine is told its
digest.

A slip in the instruments file changes nothing that was good: each table that is wrong is told of in a line,
and its symbol stays as it was, or bars entries if nothing good was ever known of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from strategies.trading.instruments import Instruments, parse
from supervisor.account_limits import AccountLimits
from supervisor.config import Settings
from supervisor.events import EventLog
from supervisor.store import trading_file
from supervisor.tasks import end_task

LARGEST: Final = 16 * 2**20
"""Bytes of an instruments file that are read."""
LOOK_EVERY: Final = 2.0
"""Seconds between two looks at whether the instruments file has changed."""


class TradingSetup:
    """Keeps the file as the settings and the instruments file say. ``problems`` are the daemon's."""

    def __init__(
        self, state_dir: Path, events: EventLog, problems: dict[str, str], limits: AccountLimits
    ) -> None:
        self.instruments = Instruments()
        """As they are known."""
        self._file = state_dir / trading_file.NAME
        self._events = events
        self._problems = problems
        self._limits = limits
        self._read_of: tuple[Path, tuple[int, ...]] | None = None
        self._seen: tuple[Path, tuple[int, ...]] | None = None
        """What the last look found."""
        self._told: list[str] = []
        self._task: asyncio.Task[None] | None = None

    async def bring_up(self, settings: Settings) -> str:
        """Read the instruments, write the file; return its digest, "" if it cannot be written."""
        wrong = await asyncio.to_thread(self._read, settings.instruments.file)
        self._tell(wrong)
        try:
            spec = self._limits.applied(settings.trading_spec(self.instruments))
            return await asyncio.to_thread(trading_file.write, self._file, spec)
        except OSError as error:
            why = f"{self._file} cannot be written ({error.strerror}): accounts and terms stay as they were"
            self._tell([*wrong, why])
            return ""

    def watch(self, settings: Callable[[], Settings], changed: Callable[[], Awaitable[None]]) -> None:
        """Look at the instruments file from now on, and say when it is another than the one that was read."""

        async def look() -> None:
            while True:
                await asyncio.sleep(LOOK_EVERY)
                path = settings().instruments.file
                if path is not None and await self.differs(path):
                    await changed()

        self._task = asyncio.create_task(look(), name="instruments")

    async def differs(self, path: Path) -> bool:
        """Whether the file is another than the one that was read, and the same as at the last look.

        One that is being written may be good as far as it goes, with symbols missing: plain ones then, of
        which a contract is worth its price.
        """
        before, self._seen = self._seen, (path, await asyncio.to_thread(_look, path))
        return self._seen == before != self._read_of

    async def stop(self) -> None:
        """Look no more."""
        await end_task(self._task)

    def _tell(self, wrong: list[str]) -> None:
        self._problems.pop("instruments", None)
        if wrong:
            self._problems["instruments"] = "; ".join(wrong)
        for line in wrong:
            if line not in self._told:
                self._events.note("problem", line)
        self._told = wrong

    def _read(self, path: Path | None) -> list[str]:
        """Read the instruments; return what is wrong with them, a line each."""
        if path is None:
            self.instruments, self._read_of = Instruments(), None
            return []
        seen = _look(path)
        try:
            self.instruments = parse(_text(path), self.instruments)
            return list(self.instruments.problems)
        except OSError as error:
            return [f"instruments: {path}: {error.strerror}; they stay as they were"]
        except ValueError as error:  # no TOML, no UTF-8, too large
            return [f"instruments: {path}: {error}; they stay as they were"]
        finally:
            self._read_of = path, seen


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"larger than {LARGEST:,} bytes")
    return content.decode()


def _look(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
