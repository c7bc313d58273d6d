"""Reads what this host has left, by psutil, and asks ``supervisor.admission`` whether one more fits."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import psutil
from msgspec import Struct

from sandbox.confine.cgroup_room import rooms_above
from supervisor.admission import Claim, Readings, Room, Rules, Shortage, admit

_THREADS_MAX = Path("/proc/sys/kernel/threads-max")
_PID_MAX = Path("/proc/sys/kernel/pid_max")
_LOADAVG = Path("/proc/loadavg")


class HostUse(Struct, frozen=True):
    """The host now. ``cpu_share``: 1.0 is all of its cores, None at the first look; memory in bytes."""

    cpus: int
    cpu_share: float | None
    load: tuple[float, ...]
    memory: int
    available: int
    disk_free: int | None


class HostMeter:
    """Reads what the host uses; its share of processors is that since the look before."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._before: tuple[float, float] | None = None

    def read(self) -> HostUse:
        """Take one look; a millisecond, which may block."""
        times = psutil.cpu_times()
        # iowait is idle time with something to wait for; guest is part of user already (proc_stat(5)).
        idle = times.idle + times.iowait
        whole = sum(times) - times.guest - times.guest_nice
        before, self._before = self._before, (whole, idle)
        share = None
        if before is not None and whole > before[0]:
            share = min(1.0, max(0.0, 1.0 - (idle - before[1]) / (whole - before[0])))
        memory = psutil.virtual_memory()
        disk = None
        with contextlib.suppress(OSError):
            disk = psutil.disk_usage(str(self._state_dir)).free
        return HostUse(
            psutil.cpu_count() or 1, share, psutil.getloadavg(), memory.total, memory.available, disk
        )


class Capacity:
    """The host that this daemon shares: ``processes`` are its own, name to pid, None while there is none."""

    def __init__(
        self, state_dir: Path, processes: Callable[[], Mapping[str, int | None]], rules: Rules
    ) -> None:
        self._state_dir = state_dir
        self._processes = processes
        self._rules = rules

    def shortage(self, quota: int, others: Iterable[Claim]) -> Shortage | None:
        """Return why an instance with ``quota`` bytes does not fit beside ``others``; None: it fits."""
        return admit(quota, others, self.read(), self._rules)

    def read(self) -> Readings:
        """Read everything once: a millisecond, on a start only."""
        groups = rooms_above()
        memory = [int(psutil.virtual_memory().available)]
        memory += [limit - used for _, used, limit in groups.get("memory", [])]
        disk = None
        with contextlib.suppress(OSError):
            disk = psutil.disk_usage(str(self._state_dir)).free
        return Readings(
            memory=max(0, min(memory)),
            disk=disk,
            files=tuple(self._files()),
            tasks=(*_tasks(), *(Room(*room) for room in groups.get("pids", []))),
        )

    def _files(self) -> Iterable[Room]:
        for name, pid in self._processes().items():
            if pid is None:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                process = psutil.Process(pid)
                limit, _ = process.rlimit(psutil.RLIMIT_NOFILE)
                if limit != psutil.RLIM_INFINITY:
                    yield Room(f"the {name}", process.num_fds(), limit)


def _tasks() -> Iterable[Room]:
    """The kernel's bounds: all tasks of the host, and, for an ordinary user, those of his (RLIMIT_NPROC)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        # "running/all" tasks, threads included (proc_loadavg(5)); psutil counts processes only.
        used = int(_LOADAVG.read_text("ascii").split()[3].partition("/")[2])
        limit = min(int(_THREADS_MAX.read_text("ascii")), int(_PID_MAX.read_text("ascii")))
        yield Room("this host", used, limit)
    limit, _ = psutil.Process().rlimit(psutil.RLIMIT_NPROC)
    if os.geteuid() != 0 and limit != psutil.RLIM_INFINITY:
        uid, used = os.getuid(), 0
        for process in psutil.process_iter(["uids", "num_threads"]):
            if process.info["uids"] is not None and process.info["uids"].real == uid:
                used += process.info["num_threads"] or 1
        yield Room("this user", used, limit)
