"""Threads of a strategy that no kernel counter holds apart from those of others: its warden counts them.

Elsewhere the kernel refuses one too many, by RLIMIT_NPROC of a uid or user namespace of its own
(``sandbox.confine.limits``). Without either, a cell that has started more than it may is ended: a count every
10 ms, as long as its turn lasts, costs 8 us. Until then it may have started some thousands.

By "Threads:" of proc_pid_status(5), from a descriptor that the warden opened before it was confined. It also
counts on when the first thread has ended, and is as fast however many there are; ``/proc/PID/stat`` is not.
"""

from __future__ import annotations

import os
import re

from sandbox.confine import process

EVERY = 0.01
"""Seconds between two counts while a turn lasts: a thread takes 10 us to start."""
BETWEEN = 0.1
"""Seconds between two counts while nothing is asked of the strategy."""
_STATUS = 4096
"""Bytes that hold the line: some 1,500 are before it on a host with a thousand processors."""
_THREADS = re.compile(rb"^Threads:\t(\d+)$", re.MULTILINE)


class Threads:
    """The count of one process. ``status``: a descriptor of /proc/PID/status, None where there is no need."""

    def __init__(self, status: int | None, most: int) -> None:
        self._status = status
        self._most = most
        self._due = float("inf") if status is None else 0.0
        self.every = float("inf") if status is None else EVERY
        """Seconds after which to ask again during a turn."""
        self.between = float("inf") if status is None else BETWEEN
        """And between turns."""

    def excess(self, now: float) -> str:
        """Say in a sentence that there are more than there may be; "" if not, or if it is not yet time."""
        if now < self._due or self._status is None:
            return ""
        self._due = now + EVERY
        count = _count(self._status)
        return f"{count:,} threads, {self._most:,} are allowed" if count > self._most else ""


def open_status(pidfd: int) -> int | None:
    """Open what ``Threads`` reads of a process; None where it cannot be.

    Found by its pidfd: a warden knows its strategy by another pid than /proc does, which is the host's.
    """
    try:
        return os.open(f"/proc/{process.pid_of(pidfd)}/status", os.O_RDONLY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None


def _count(status: int) -> int:
    try:
        found = _THREADS.search(os.pread(status, _STATUS, 0))
    except ProcessLookupError:  # it is dead, which its pidfd tells
        return 0
    return int(found[1]) if found else 0
