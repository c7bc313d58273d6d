"""What is written to a control group, and where it is read, in the words of both versions. Pure data.

Sources: Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files", "CPU Interface Files", "PID") and
cgroup-v1/{memory,pids,freezer-subsystem}.rst and scheduler/sched-bwc.rst of the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

CPU_PERIOD = 500_000
"""Microseconds over which the kernel holds the share, with as much again as a burst. Longer than its default
of 100 ms, so that a strategy within its share is not stalled for doing the work of a second at once."""
HEADROOM = 16 * 2**20
"""Bytes above the quota at which the kernel kills. RLIMIT_DATA lies below, so that an honest overrun meets
``MemoryError``, with the line that asked for too much, and only what that limit does not count meets this."""


HIGH = 0.98
"""Share of ``memory.max`` from which the kernel slows a group down and takes its page cache (``high``)."""
IO_WEIGHT = 25
"""Of all cells together at the disk; the daemon with its engine, whose journal is waited for, has the
usual 100. It counts where the host shares the disk out by weight: io.cost.qos, or the scheduler bfq."""


class Bounds(Struct, frozen=True):
    """What a group may use: ``memory`` bytes, ``cpu`` a share of one core (None: as it likes), ``tasks``."""

    memory: int
    cpu: float | None
    tasks: int


def high(memory: int) -> int:
    """Return ``memory.high`` of a cell with a quota of ``memory`` bytes. Pure.

    Never below the quota: who keeps to it is never slowed. And near the limit: above it each return from the
    kernel is delayed by the square of the excess, up to 2 s (mm/memcontrol.c, calculate_high_delay), and a
    strategy that is delayed for longer than its budget would be ended as a hang, not for its memory.

    Measured on Linux 6.1, seconds for which one that took all it could was delayed before it was killed, with
    a quota of 64 and of 256 MiB: at 0.90 over 53, at 0.95 4.6 and 26, at 0.97 0.28 and 4.0, at 0.98 0.08 and
    0.22. By the kernel's formula it is 0.6 at most: from 800 MiB on the quota itself is above 0.98.
    """
    return max(memory, int(HIGH * (memory + HEADROOM)))


class Dialect(NamedTuple):
    """How one version says it: (controller, file), and the key of a line where the file has many."""

    oom_kills: tuple[str, str, str]
    current: tuple[str, str, str]
    peak: tuple[str, str, str]
    cpu_time: tuple[str, str, str]
    throttled: tuple[str, str, str]
    cpu_unit: float
    """Seconds that one unit of ``cpu_time`` and ``throttled`` is."""


DIALECTS: Mapping[int, Dialect] = {
    1: Dialect(
        oom_kills=("memory", "memory.oom_control", "oom_kill"),
        current=("memory", "memory.usage_in_bytes", ""),
        peak=("memory", "memory.max_usage_in_bytes", ""),
        cpu_time=("cpuacct", "cpuacct.usage", ""),
        throttled=("cpu", "cpu.stat", "throttled_time"),
        cpu_unit=1e-9,
    ),
    2: Dialect(
        oom_kills=("memory", "memory.events", "oom_kill"),
        current=("memory", "memory.current", ""),
        peak=("memory", "memory.peak", ""),  # Linux 5.19
        cpu_time=("cpu", "cpu.stat", "usage_usec"),
        throttled=("cpu", "cpu.stat", "throttled_usec"),
        cpu_unit=1e-6,
    ),
}


class Setting(NamedTuple):
    """One file to write. ``needed``: without it the controller does not hold, else it is a refinement."""

    controller: str
    file: str
    text: str
    needed: bool = True


def settings(version: int, bounds: Bounds) -> list[Setting]:
    """Return what is written to make a group a cell, in order. Pure."""
    limit, tasks = str(bounds.memory + HEADROOM), str(bounds.tasks)
    # Less than 1 ms the kernel refuses (min_cfs_quota_period), and more than it has it grants.
    quota = "" if bounds.cpu is None else str(max(1000, round(bounds.cpu * CPU_PERIOD)))
    if version == 1:
        wanted = [
            Setting("memory", "memory.limit_in_bytes", limit),
            # Swap counted in, where the kernel counts it (swapaccount=1): else a bomb fills the swap.
            Setting("memory", "memory.memsw.limit_in_bytes", limit, needed=False),
            Setting("memory", "memory.swappiness", "0", needed=False),
            Setting("pids", "pids.max", tasks),
        ]
        cpu = [
            ("cpu.cfs_period_us", str(CPU_PERIOD)),
            ("cpu.cfs_quota_us", quota),
            ("cpu.cfs_burst_us", quota),
        ]
    else:
        wanted = [
            Setting("memory", "memory.max", limit),
            Setting("memory", "memory.high", str(high(bounds.memory)), needed=False),
            Setting("memory", "memory.swap.max", "0", needed=False),  # absent where there is no swap at all
            Setting("memory", "memory.oom.group", "1", needed=False),
            Setting("pids", "pids.max", tasks),
        ]
        cpu = [("cpu.max", f"{quota} {CPU_PERIOD}"), ("cpu.max.burst", quota)]
    if quota:  # the burst came with Linux 5.14
        wanted += [Setting("cpu", file, text, needed="burst" not in file) for file, text in cpu]
    return wanted
