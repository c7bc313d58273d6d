"""Kernel limits of the two processes of a cell, set from outside through psutil (prlimit(2)).

By the supervisor, so that psutil is never in a process that it limits, and before the strategy is told what
to run. Every limit is hard as well as soft: without privilege it cannot be raised again.

``RLIMIT_NPROC`` counts the tasks of a uid in a user namespace. Where a cell has either of its own, the limit
is the cell's; where it has not (no namespaces), one cell's threads would stop another's start, so there only
a common bound is set (``TASKS_OF_THE_UID``), its warden counts (``sandbox.threads``), and seccomp is what
forbids processes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import psutil

from sandbox.spec import Limits

TASKS_OF_THE_UID = 4096
"""Tasks that the uid of the cells may have at all, where it is the daemon's own."""
STACK = 8 * 2**20
"""Bytes of stack, of each thread too: the kernel's default, whatever the daemon was started with."""
WARDEN_FILES = 64
"""Descriptors of a warden."""


ADDRESS_SPACE = 4 * 2**30
"""Bytes of address space that a strategy may map beside four times its memory."""


class Usage(NamedTuple):
    """What a process has of memory, in bytes: private and writable, and mapped at all."""

    data: int
    mapped: int


def table(limits: Limits, inherited: Usage, *, own_tasks: bool | None) -> dict[int, int]:
    """Return {RLIMIT_x: value}. ``inherited`` is what the process has from the zygote.

    ``own_tasks`` is None for a process that makes the user namespace in which its tasks are counted: it then
    limits them itself (``process.limit_tasks``), since before that the limit would hold those of all cells.

    ``RLIMIT_DATA`` holds the memory. ``RLIMIT_AS`` could not: the address space has what is mapped but never
    used (64 MiB an arena, 8 MiB a stack), 3 to 78 times the memory really taken; data 1.2 to 10 times. It is
    there for page tables, which no other limit counts: mappings that are only read take 4 KiB of them for
    every 2 MiB touched, and there are 128 TiB to touch.
    """
    tasks = limits.processes if own_tasks else TASKS_OF_THE_UID
    return {
        psutil.RLIMIT_DATA: inherited.data + limits.memory,
        psutil.RLIMIT_AS: inherited.mapped + 4 * limits.memory + ADDRESS_SPACE,
        psutil.RLIMIT_NOFILE: limits.files,
        **({} if own_tasks is None else {psutil.RLIMIT_NPROC: tasks}),
        psutil.RLIMIT_FSIZE: limits.file_size,
        psutil.RLIMIT_STACK: STACK,
        psutil.RLIMIT_SIGPENDING: 64,
        psutil.RLIMIT_CORE: 0,
        psutil.RLIMIT_MEMLOCK: 0,
        psutil.RLIMIT_MSGQUEUE: 0,
        psutil.RLIMIT_RTPRIO: 0,
        psutil.RLIMIT_NICE: 0,
    }


def warden_table(limits: Limits, baseline: int) -> dict[int, int]:
    """Return {RLIMIT_x: value} of a warden: memory and descriptors (0MQ takes a dozen).

    No RLIMIT_FSIZE: it can open no file, and the daemon's stderr, where its last words go, may be one.
    """
    return {
        psutil.RLIMIT_DATA: baseline + limits.warden_memory,
        psutil.RLIMIT_NOFILE: WARDEN_FILES,
        psutil.RLIMIT_CORE: 0,
    }


def apply(pid: int, limits: Limits, *, own_tasks: bool | None) -> list[str]:
    """Limit the strategy process ``pid``. Return what the host refused and can do without, one line each.

    ``ProcessLookupError`` if it is gone, ``PermissionError`` if the host lets it not be limited.
    """
    with _alive(pid) as process:
        memory = process.memory_info()
        _set(process, table(limits, Usage(memory.data, memory.vms), own_tasks=own_tasks))
        if limits.nice:
            try:
                process.nice(limits.nice)
            except psutil.AccessDenied:
                return [f"nice {limits.nice} needs CAP_SYS_NICE; it stays {process.nice()}"]
    return []


def apply_to_warden(pid: int, limits: Limits) -> None:
    """Limit the warden ``pid``; ``ProcessLookupError`` if it is gone."""
    with _alive(pid) as process:
        _set(process, warden_table(limits, process.memory_info().data))


@contextlib.contextmanager
def _alive(pid: int) -> Iterator[psutil.Process]:
    try:
        yield psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise ProcessLookupError(f"process {pid} is gone") from None
    except psutil.AccessDenied:
        raise PermissionError(f"the limits of process {pid} may not be set") from None


def _set(process: psutil.Process, values: dict[int, int]) -> None:
    for resource, value in values.items():
        # A hard limit that the host set lower already holds, and without privilege cannot be raised to.
        _, hard = process.rlimit(resource)
        bound = value if hard == psutil.RLIM_INFINITY else min(value, hard)
        process.rlimit(resource, (bound, bound))
