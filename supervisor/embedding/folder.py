"""A folder for the sockets of one process, gone when that is: at the latest when the next one makes its own.

Who ends in order removes its folder. Who is killed cannot; but the kernel gives back its flock(2) however it
ends, so whoever comes next knows that nobody owns what it left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from pathlib import Path

PREFIX = "stratd-embedded-"


class PrivateFolder:
    """A folder below ``base`` (that of temporary files) that only this user enters.

    ``close`` removes it, and so does the end of the interpreter if nobody did.
    """

    def __init__(self, base: Path | None = None) -> None:
        self._base = base or Path(tempfile.gettempdir())
        self._remove: weakref.finalize[..., PrivateFolder] | None = None
        self.path = Path()

    def open(self) -> None:
        """Make it, and remove what others left who were killed."""
        self._sweep()
        while self._remove is None:
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._base))
            lock = _open(path)
            if lock is None:
                continue
            # Between the two lines above somebody may have taken it for one that was left.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if path.exists():
                self.path = path
                self._remove = weakref.finalize(self, _remove, path, lock, os.getpid())
            else:
                os.close(lock)

    def close(self) -> None:
        """Remove it with all that is in it. Twice is fine."""
        if self._remove is not None:
            self._remove()
            self._remove = None

    def _sweep(self) -> None:
        for path in self._base.glob(f"{PREFIX}*"):
            lock = _open(path)
            if lock is None:
                continue
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            except BlockingIOError:
                pass  # its owner lives
            finally:
                os.close(lock)


def _remove(path: Path, lock: int, owner: int) -> None:
    if os.getpid() == owner:  # a fork of its owner has it from there, and no right to it
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _open(path: Path) -> int | None:
    """Open a folder, no link to one; None if it has just gone."""
    try:
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
