"""Kernel limits of a strategy process, set from outside by its warden through psutil (prlimit(2)).

From outside, so that psutil is never in the process it limits, and before the process is told what to
run. Every limit is hard as well as soft: without privilege it cannot be raised again.

What does not bind yet, by name: ``RLIMIT_NPROC`` counts all tasks of a *uid*, and none of root. Until
cells have a uid or a user namespace of their own a limit of ``Limits.processes`` would let one cell's
threads stop another's start, so only a common bound against fork bombs is set (``TASKS_OF_THE_UID``).
"""

from __future__ import annotations

import contextlib
from typing import NamedTuple

import psutil

from sandbox.spec import Limits

TASKS_OF_THE_UID = 4096
"""Tasks that the uid of the cells may have at all."""


class Usage(NamedTuple):
    """Memory of a process in bytes."""

    resident: int
    data: int


def usage(pid: int) -> Usage:
    """Return what process ``pid`` uses now."""
    memory = psutil.Process(pid).memory_info()
    return Usage(memory.rss, memory.data)


def table(limits: Limits, baseline: int) -> dict[int, int]:
    """Return {RLIMIT_x: value}. ``baseline`` is the data size (bytes) inherited from the zygote.

    ``RLIMIT_DATA`` and not ``RLIMIT_AS``: the address space holds what is mapped but never used (64 MiB
    an arena, 8 MiB a stack), 3 to 78 times the memory really taken; data 1.2 to 10 times.
    """
    return {
        psutil.RLIMIT_DATA: baseline + limits.memory,
        psutil.RLIMIT_NOFILE: limits.files,
        psutil.RLIMIT_NPROC: TASKS_OF_THE_UID,
        psutil.RLIMIT_FSIZE: limits.file_size,
        psutil.RLIMIT_CORE: 0,
        psutil.RLIMIT_MEMLOCK: 0,
        psutil.RLIMIT_MSGQUEUE: 0,
        psutil.RLIMIT_RTPRIO: 0,
        psutil.RLIMIT_NICE: 0,
    }


def apply(pid: int, limits: Limits) -> list[str]:
    """Limit process ``pid``. Return what the host refused, one line each.

    ``ProcessLookupError`` if it is gone.
    """
    try:
        return _apply(psutil.Process(pid), limits)
    except psutil.NoSuchProcess:
        raise ProcessLookupError(f"process {pid} is gone") from None


def _apply(process: psutil.Process, limits: Limits) -> list[str]:
    refused = []
    for resource, value in table(limits, process.memory_info().data).items():
        # A hard limit that the host set lower already holds, and without privilege cannot be raised to.
        _, hard = process.rlimit(resource)
        bound = value if hard == psutil.RLIM_INFINITY else min(value, hard)
        process.rlimit(resource, (bound, bound))
    if limits.nice:
        try:
            process.nice(limits.nice)
        except psutil.AccessDenied:
            refused.append(f"nice {limits.nice} needs CAP_SYS_NICE; it stays {process.nice()}")
    return refused


def rehearse(pid: int, limits: Limits) -> None:
    """Do what ``apply`` does but for setting anything."""
    process = psutil.Process(pid)
    for resource in table(limits, process.memory_info().data):
        process.rlimit(resource)


def held(pid: int) -> dict[str, int]:
    """Return the limits in force on ``pid``, by their names: what ``doctor`` and ``describe`` show."""
    process = psutil.Process(pid)
    found = {}
    for name in ("DATA", "NOFILE", "NPROC", "FSIZE", "CORE", "MEMLOCK", "MSGQUEUE", "RTPRIO"):
        with contextlib.suppress(psutil.Error):
            found[name] = process.rlimit(getattr(psutil, f"RLIMIT_{name}"))[0]
    return found
