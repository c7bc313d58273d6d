"""Orphans: the daemon is their subreaper, so whoever loses its parent below us becomes our child.

Rules of this file. Only children that nobody waits for are reaped, each by its own pid: a ``waitpid(-1)``
would take the exit status from those who need it. One that has ended gets from one look to the next (a
second) to be reaped by whoever started it. One that lives, in a session that is not ours and of no cell that
is, was left behind by a strategy: nobody enforces its quota or reads its output, so it is killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Collection, Iterable


def children() -> list[int]:
    """Return the pids of our children (proc(5): /proc/PID/task/TID/children, all threads)."""
    found: list[int] = []
    # By name: a Path for each would cost more than the file.
    for thread in os.listdir("/proc/self/task"):  # noqa: PTH208
        # It may have ended, or this is a kernel without CONFIG_PROC_CHILDREN.
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/children", "rb") as file:  # noqa: PTH123
            found += map(int, file.read().split())
    return found


class Reaper:
    """Looks at ``ours``, our children; ``known`` are those that belong to somebody.

    Returns events, (kind, detail).
    """

    def __init__(self) -> None:
        self._ended: set[int] = set()
        self._killed: set[int] = set()

    def kill_orphans(self, ours: Iterable[int], known: Collection[int]) -> list[tuple[str, str]]:
        """Kill what outlived its cell, however often it is asked until it is gone; told once.

        None is left if nothing is returned and ``left`` is 0. One call is not enough: whoever was killed may
        have had children, which become ours when it dies.
        """
        done, left = [], set()
        for pid in ours:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                # Our own child until we reap it, so the pid cannot be another's by now.
                if pid not in known and not _has_ended(pid) and os.getsid(pid) != os.getsid(0):
                    os.kill(pid, signal.SIGKILL)
                    left.add(pid)
                    if pid not in self._killed:
                        done.append(("orphan_killed", f"process {pid} outlived its cell"))
        self._killed = left
        return done

    @property
    def left(self) -> int:
        """How many of those that were killed lived when they were looked at last."""
        return len(self._killed)

    def reap(self, ours: Iterable[int], known: Collection[int]) -> list[tuple[str, str]]:
        """Reap what had ended at the last call already; to be called once a second."""
        done: list[tuple[str, str]] = []
        ended = {pid for pid in ours if pid not in known and _has_ended(pid)}
        for pid in ended & self._ended:
            with contextlib.suppress(ChildProcessError):
                done.append(("reaped", f"process {pid}, an orphan, {_reap(pid)}"))
        self._ended = ended
        return done


def _has_ended(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # somebody else was quicker
        return False


def _reap(pid: int) -> str:
    info = os.waitid(os.P_PID, pid, os.WEXITED)
    if info is None:
        return "gone"
    if info.si_code == os.CLD_EXITED:
        return f"exited with {info.si_status}"
    return f"ended by signal {info.si_status}"
