r"""What strategies printed and logged: one file a deployment, rotated by size, never in anybody's way.

Rules of this file. A line is ``TIME GENERATION STREAM TEXT`` in UTF-8, and text cannot forge a line: control
characters are written as ``\xNN`` (a terminal that shows the log must not obey the strategy). What cannot
be written is counted and dropped; the ring of the last lines stays in memory either way. A file that was
renamed from outside (logrotate) is left and a new one is begun. Nothing is ever synced: a strategy's prints
are not worth a stall of the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from supervisor import log_past
from supervisor.broadcast import Broadcast

TAIL = 200
"""Lines that go into the record of a death."""
RECALLED = 256 * 1024
"""Bytes at the end of a file in which the last lines of an earlier daemon are looked for."""
MAX_BYTES = 10 * 2**20
"""Size at which a file is rotated."""
KEEP = 3
"""Rotated files kept: ID.log.1 is the newest."""
_PRINTABLE = {code: f"\\x{code:02x}" for code in (*range(9), *range(10, 32), *range(127, 160))} | {
    0x2028: "\\u2028",
    0x2029: "\\u2029",
}


class Line(Struct, frozen=True):
    """One line. ``at`` unix ns, ``stream`` out, err, log, or stratd for what the daemon says."""

    at: int
    stream: str
    text: str
    generation: int = 0

    def render(self) -> str:
        """As it stands in the file, with its newline."""
        whole, nanos = divmod(self.at, 1_000_000_000)
        when = datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{when}.{nanos:09d}Z {self.generation} {self.stream} {self.text}\n"


def parse(text: str) -> Line | None:
    """Read a line back, None if it is none of ours."""
    parts = text.rstrip("\n").split(" ", 3)
    if len(parts) < 4:
        return None
    try:
        when, nanos = parts[0][:19], int(parts[0][20:29])
        seconds = int(datetime.fromisoformat(f"{when}+00:00").timestamp())
        return Line(seconds * 1_000_000_000 + nanos, parts[2], parts[3], int(parts[1]))
    except ValueError:
        return None


class LogBook:
    """The log of one deployment: ring, file, followers. ``told`` is given every line, and must not wait."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        keep: int = KEEP,
        told: Callable[[list[Line]], None] | None = None,
    ) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._keep = keep
        self._told = told
        self._ring: deque[Line] = deque(maxlen=TAIL)
        self._broadcast: Broadcast[Line] = Broadcast()
        self._file: int | None = None
        self._size = 0
        self._taken = TAIL
        """Lines that the disk took since it last refused some: from ``TAIL`` on it has all of the ring."""
        self._reading = asyncio.Lock()
        """Held by who reads its files: each may be of megabytes, and threads are few."""
        self.dropped = 0
        """Lines that the disk did not take since the daemon began."""

    def write(self, generation: int, lines: list[tuple[int, str, str]]) -> None:
        """Take lines (unix ns, stream, text) in. Never fails."""
        fresh = [Line(at, stream, text.translate(_PRINTABLE), generation) for at, stream, text in lines]
        self._ring.extend(fresh)
        data = "".join(line.render() for line in fresh).encode("utf-8", "replace")
        try:
            self._append(data)
            self._taken += len(fresh)
        except OSError:
            self.dropped += len(fresh)
            self._taken = 0
            self._close_file()
        self._broadcast.publish(fresh)
        if self._told is not None:
            self._told(fresh)

    def tail(self) -> list[str]:
        """Return the last lines in memory, for the record of a death."""
        return [line.text if line.stream == "out" else f"[{line.stream}] {line.text}" for line in self._ring]

    def recall(self) -> None:
        """Fill the ring with what the file ends with: an earlier daemon wrote it."""
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - RECALLED))
            lines = file.read().decode("utf-8", "replace").split("\n")
            self._ring.extend(filter(None, map(parse, lines)))

    async def read(self, limit: int | None = None, *, follow: bool = False) -> AsyncIterator[Line]:
        """Yield the last ``limit`` lines, the oldest first; then, if told, all that come."""
        most = TAIL if limit is None else limit
        async with self._reading if most > len(self._ring) else contextlib.nullcontext():
            follower = self._broadcast.follow() if follow else None
            try:
                past = await self._past(most)
            except BaseException:
                if follower is not None:
                    follower.close()
                raise
        try:
            for line in past:
                yield line
            if follower is not None:
                async for line in follower:
                    yield line
        finally:
            if follower is not None:
                follower.close()

    def close(self) -> None:
        """Close the file and end every follower."""
        self._close_file()
        self._broadcast.close()

    def remove(self) -> None:
        """Close, and delete every file of this log."""
        self.close()
        for path in (self._path, *(self._numbered(n) for n in range(1, self._keep + 1))):
            with contextlib.suppress(OSError):
                path.unlink()

    # ---- the file -------------------------------------------------------------------------------
    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _append(self, data: bytes) -> None:
        if self._file is not None and (self._was_renamed() or self._size >= self._max_bytes):
            self._rotate()
        if self._file is None:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(self._path, flags, 0o600)
            self._size = os.fstat(self._file).st_size
        written = os.write(self._file, data)
        self._size += written
        if written < len(data):  # the disk is full: end the torn line, so that the next one stands alone
            with contextlib.suppress(OSError):
                os.write(self._file, b"\n")
            raise OSError("short write")

    def _was_renamed(self) -> bool:
        if self._file is None:
            return False
        ours = os.fstat(self._file)
        self._size = ours.st_size  # somebody may have cut it (logrotate's copytruncate)
        try:
            return self._path.stat().st_ino != ours.st_ino
        except FileNotFoundError:
            return True

    def _rotate(self) -> None:
        ours = not self._was_renamed()
        self._close_file()
        if ours:
            for number in range(self._keep, 0, -1):
                older = self._path if number == 1 else self._numbered(number - 1)
                with contextlib.suppress(FileNotFoundError):
                    older.rename(self._numbered(number))

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def _past(self, limit: int) -> list[Line]:
        """Return the last ``limit`` lines as of now: what comes while they are read is not among them."""
        ring = list(self._ring)
        if limit <= len(ring):
            return ring[len(ring) - limit :]
        behind = self._taken < TAIL and bool(ring)
        paths = [self._path, *(self._numbered(n) for n in range(1, self._keep + 1))]
        sizes = log_past.standing(paths)
        found = await asyncio.to_thread(log_past.last, paths, sizes, limit, parse)
        if not behind:
            return found
        # What the disk did not take is still in memory.
        first = ring[0].at
        return [*(line for line in found if line.at < first), *ring][-limit:]
