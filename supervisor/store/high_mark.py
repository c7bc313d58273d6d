"""A number that only grows, kept where a full disk still takes it: the head of a file that is there already.

Rules of this file. The bytes are there from the first ``open`` on and are only written over (pwrite(2)), so a
file system that does not copy on write needs no room for them. They are never synced: what they are for is
the end of the process, not of the host; after a power cut the number may be an older one.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

WIDTH = 20
"""Digits: as many as an unsigned number of 64 bits has."""


class HighMark:
    """The number in the file at ``path``. ``open``, then ``rise``, then ``close``; all from one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._value = 0

    def open(self) -> int:
        """Return what was kept: 0 where nothing was, or nothing that is a number. Never fails."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        with contextlib.suppress(OSError):  # then numbers are as durable as the database is
            self._file = os.open(self._path, flags, 0o600)
            found = os.pread(self._file, WIDTH, 0)
            self._value = int(found) if len(found) == WIDTH and found.isdigit() else 0
            self._write()
        return self._value

    def rise(self, value: int) -> None:
        """Keep ``value`` if it is the highest so far. Never fails."""
        if value > self._value:
            self._value = value
            with contextlib.suppress(OSError):
                self._write()

    def _write(self) -> None:
        if self._file is not None:
            os.pwrite(self._file, f"{self._value:0{WIDTH}d}\n".encode(), 0)

    def close(self) -> None:
        """Close the file; twice is fine."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
