"""Processes as the kernel knows them: no word of the daemon's is taken for what runs."""

from __future__ import annotations

import ctypes
import os
import re
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2)."""
NAMES = {"stratd-zygote": "zygote", "stratd-warden": "warden", "stratd-strategy": "strategy"}


class Process(NamedTuple):
    """One process, and no other that gets its pid later: field 22 of /proc/PID/stat goes with it."""

    pid: int
    ticks: int
    name: str
    """``zygote``, ``warden``, ``strategy``, ``engine``, or what it calls itself."""

    @property
    def alive(self) -> bool:
        """Whether it runs: a zombie does not, one that is stopped does."""
        return self.state not in {"", "Z", "X"}

    @property
    def state(self) -> str:
        """Its letter in /proc/PID/stat (proc(5)), "" if it is gone."""
        found = stat_of(self.pid)
        return found[0] if found is not None and int(found[19]) == self.ticks else ""

    @property
    def parent(self) -> int:
        found = stat_of(self.pid)
        return int(found[1]) if found else 0

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signal it; False if it is gone."""
        if not self.alive:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
        return True

    @property
    def descriptors(self) -> int:
        """How many it has open."""
        with suppress(OSError):
            return sum(1 for _ in Path(f"/proc/{self.pid}/fd").iterdir())
        return 0

    @property
    def memory(self) -> int:
        """Its share of what it uses (PSS), bytes; 0 if that may not be read."""
        with suppress(OSError):
            text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
            found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
            return int(found[1]) * 1024 if found else 0
        return 0


def stat_of(pid: int) -> list[str] | None:
    """Return /proc/PID/stat from field 3 on; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def process(pid: int) -> Process | None:
    """Return the process that has ``pid`` now, None if nobody has."""
    found = stat_of(pid)
    with suppress(OSError):
        if found is not None:
            comm = Path(f"/proc/{pid}/comm").read_text().strip()
            engine = b"supervisor.engine" in Path(f"/proc/{pid}/cmdline").read_bytes()
            return Process(pid, int(found[19]), "engine" if engine else NAMES.get(comm, comm))
    return None


def children(pid: int) -> list[int]:
    """Return the pids of a process's children, of all its threads."""
    found: list[int] = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return sorted(found)


def below(pid: int) -> list[Process]:
    """Return every process below one that runs, and not itself."""
    found, todo = [], [pid]
    while todo:
        pids = children(todo.pop())
        todo += pids
        found += [one for one in map(process, pids) if one is not None and one.alive]
    return found


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below this process: nothing gets out of sight."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def bury(but: set[int]) -> None:
    """Reap the orphans that have ended: children of this process that nobody else waits for."""
    for pid in children(os.getpid()):
        found = stat_of(pid)
        if pid not in but and found is not None and found[0] == "Z":
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
