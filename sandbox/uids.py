"""The uids of a daemon's cells: a block that no other daemon of the host uses while this one does.

Two strategies of one uid could signal and trace each other. The block is held by an flock(2) on a file below
/run, which the kernel gives back however its holder ends. Which one is tried first follows from the daemon's
own folder, so that a restart finds the same; the next ones follow, as in open addressing.
"""

from __future__ import annotations

import errno
import fcntl
import os
import zlib
from pathlib import Path

from sandbox.confine.credentials import UID_BLOCKS, UIDS, UIDS_OF_A_BLOCK

CLAIMS = Path("/run/stratd-uids")
"""Root's alone. Where it cannot be made (a container whose /run is read-only) no block is held."""


class UidBlock:
    """A block of ``UIDS_OF_A_BLOCK`` uids, held from ``claim`` to ``release``."""

    def __init__(self, name: str, claims: Path = CLAIMS) -> None:
        self._preferred = zlib.crc32(os.fsencode(name)) % UID_BLOCKS
        self._claims = claims
        self._lock: int | None = None
        self.first = _first(self._preferred)
        """The first uid of the block."""

    def claim(self) -> None:
        """Hold a block that nobody else holds. ``BlockingIOError`` if all are taken."""
        if self._lock is not None:
            return
        try:
            self._claims.mkdir(mode=0o700, exist_ok=True)
        except OSError:
            return
        for at in range(UID_BLOCKS):
            block = (self._preferred + at) % UID_BLOCKS
            if (lock := self._hold(block)) is not None:
                self._lock, self.first = lock, _first(block)
                return
        raise BlockingIOError(errno.EAGAIN, f"{self._claims}: all {UID_BLOCKS} blocks of uids are taken")

    def _hold(self, block: int) -> int | None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self._claims / str(_first(block)), flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two hold two locks of one name."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _first(block: int) -> int:
    return UIDS + block * UIDS_OF_A_BLOCK
