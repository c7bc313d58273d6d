"""What this kernel could enforce, asked of it without changing anything.

Each probe returns a ``Finding``; none needs privilege, none raises, none starts a process. What is known for
certain only by doing it (namespaces, mounts) is in ``attempt``, the control groups are in ``cgroup``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
from typing import NamedTuple

from sandbox.confine import syscalls

_libc = ctypes.CDLL(None, use_errno=True)

# The same number on every architecture (landlock_create_ruleset(2), Linux 5.13).
_SYS_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_CREATE_RULESET_VERSION = 1
_PR_SET_SECCOMP = 22  # include/uapi/linux/prctl.h
_SECCOMP_MODE_FILTER = 2


class Finding(NamedTuple):
    """Whether the host has it, and a phrase that says what was seen."""

    found: bool
    detail: str


def landlock() -> Finding:
    """Ask the kernel for its Landlock ABI (landlock(7): 1 is Linux 5.13; 4 adds TCP, 6 abstract sockets)."""
    ctypes.set_errno(0)
    version = _libc.syscall(
        ctypes.c_long(_SYS_LANDLOCK_CREATE_RULESET),
        None,
        ctypes.c_size_t(0),
        ctypes.c_uint32(_LANDLOCK_CREATE_RULESET_VERSION),
    )
    if version > 0:
        return Finding(True, f"ABI {version}")
    reason = {
        errno.ENOSYS: "the kernel has none (Linux 5.13 brought it)",
        errno.EOPNOTSUPP: "built in but not enabled at boot",
    }.get(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return Finding(False, reason)


def seccomp() -> Finding:
    """Ask whether a seccomp filter could be installed: a null program fails with EFAULT where it could.

    And whether there is one of ours for this machine.
    """
    try:
        syscalls.native()
    except OSError as error:
        return Finding(False, str(error.strerror))
    ctypes.set_errno(0)
    null = ctypes.c_void_p(None)
    _libc.prctl(ctypes.c_int(_PR_SET_SECCOMP), ctypes.c_ulong(_SECCOMP_MODE_FILTER), null, null, null)
    number = ctypes.get_errno()
    return Finding(True, "filters") if number == errno.EFAULT else Finding(False, os.strerror(number))


def pidfd() -> Finding:
    """Ask for a pidfd of ourselves (pidfd_open(2), Linux 5.3): deaths are seen without polling."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return Finding(False, f"{error.strerror} (Linux 5.3 brought it)")
    return Finding(True, "deaths are noticed at once, and never taken for another process's")


def close_range() -> Finding:
    """Ask for the call that closes descriptors by range (Linux 5.9), with a range that is empty."""
    ctypes.set_errno(0)
    nowhere = ctypes.c_uint(2**31 - 1)
    done = _libc.syscall(ctypes.c_long(436), nowhere, nowhere, ctypes.c_uint(0))  # as in confine/process.py
    return Finding(True, "") if done == 0 else Finding(False, os.strerror(ctypes.get_errno()))


def most_open_files() -> int:
    """Return how many descriptors this process may have at most (its hard RLIMIT_NOFILE)."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def kernel() -> str:
    """Name the running kernel."""
    return f"{platform.system()} {platform.release()} {platform.machine()}"
