"""What this kernel could enforce, asked of it without changing anything.

Each probe returns a ``Finding``; none needs privilege, none raises. Only ``namespaces`` starts a process, a
throw-away interpreter, because whether a namespace may be made is known for certain only by making one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)

# The same number on every architecture (landlock_create_ruleset(2), Linux 5.13).
_SYS_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_CREATE_RULESET_VERSION = 1
_PR_SET_SECCOMP = 22  # include/uapi/linux/prctl.h
_SECCOMP_MODE_FILTER = 2

NAMESPACES = {
    "user": 0x10000000,
    "mount": 0x00020000,
    "pid": 0x20000000,
    "net": 0x40000000,
    "ipc": 0x08000000,
    "uts": 0x04000000,
}
"""Name -> flag of unshare(2). ``user`` first: without privilege it is what allows the others."""


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
    """Ask whether a seccomp filter could be installed: a null program fails with EFAULT where it could."""
    ctypes.set_errno(0)
    null = ctypes.c_void_p(None)
    _libc.prctl(ctypes.c_int(_PR_SET_SECCOMP), ctypes.c_ulong(_SECCOMP_MODE_FILTER), null, null, null)
    number = ctypes.get_errno()
    return Finding(True, "filters") if number == errno.EFAULT else Finding(False, os.strerror(number))


_TRY = """
import ctypes, sys
unshare = ctypes.CDLL(None, use_errno=True).unshare
for name, flag in zip(sys.argv[1::2], sys.argv[2::2]):
    print(name, 0 if unshare(int(flag)) == 0 else ctypes.get_errno())
"""


def namespaces() -> Finding:
    """Try every namespace in a throw-away process (root needs no user namespace and makes none)."""
    wanted = {name: flag for name, flag in NAMESPACES.items() if name != "user" or os.geteuid() != 0}
    arguments = [text for name, flag in wanted.items() for text in (name, str(flag))]
    try:
        tried = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _TRY, *arguments],
            capture_output=True, text=True, timeout=10, check=True, env={}, cwd="/",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(False, f"could not be tried ({type(error).__name__})")
    failed = [(name, int(code)) for name, code in map(str.split, tried.stdout.splitlines()) if code != "0"]
    if failed:
        return Finding(False, ", ".join(f"{name}: {os.strerror(code)}" for name, code in failed))
    return Finding(True, ", ".join(wanted))


def cgroup(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> Finding:
    """Look for a cgroup v2 subtree of our own that has controllers (cgroups(7)); v1 is told, not used."""
    try:
        lines = own.read_text("ascii").splitlines()
    except OSError as error:
        return Finding(False, f"{own}: {error.strerror}")
    unified = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), None)
    first = sorted(
        {name for line in lines if not line.startswith("0::") for name in line.split(":")[1].split(",")}
    )
    limits = ", ".join(name for name in first if name in ("memory", "cpu", "pids"))
    folder = root / unified.lstrip("/") if unified is not None else None
    if folder is None or not (folder / "cgroup.controllers").is_file():
        return Finding(False, f"version 1 ({limits or 'no limits'})" if first else "not mounted")
    controllers = (folder / "cgroup.controllers").read_text("ascii").split()
    usable = [name for name in ("memory", "cpu", "pids") if name in controllers]
    if not usable:
        return Finding(False, "version 2 without the controllers memory, cpu and pids")
    if not os.access(folder, os.W_OK):
        return Finding(False, f"version 2 ({', '.join(usable)}), but {folder} is not delegated to this user")
    return Finding(True, f"version 2 ({', '.join(usable)}), delegated at {folder}")


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
