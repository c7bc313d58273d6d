"""Namespaces: what a process can see of the host (namespaces(7), unshare(2), user_namespaces(7)).

Without privilege a user namespace comes first: in it the process may make the others. A new PID namespace
holds the *next* child, as its pid 1, and dies with that one; so each cell gets one of its own, and the zygote
stays outside of them all: its death ends nobody.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Iterator

_libc = ctypes.CDLL(None, use_errno=True)

# include/uapi/linux/sched.h
MOUNT = 0x00020000
UTS = 0x04000000
IPC = 0x08000000
USER = 0x10000000
PID = 0x20000000
NET = 0x40000000

HOST_NAME = "cell"


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (unshare(2))."""
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare({flags:#x}): {os.strerror(number)}")


def enter_user_namespace() -> None:
    """Be in a new user namespace in which this user is the only one, under the same number.

    Groups cannot be set any more, which is what the kernel asks of an unprivileged gid map
    (user_namespaces(7), CVE-2014-8989).
    """
    uid, gid = os.geteuid(), os.getegid()
    unshare(USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        file = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)


def leave_host() -> None:
    """Leave the host's mounts, network, System V objects and host name; with privilege over this process.

    The network namespace is new and stays as it is born: a loopback that is down, and nothing else.
    """
    unshare(MOUNT | NET | IPC | UTS)
    socket.sethostname(HOST_NAME)


@contextlib.contextmanager
def next_child_alone() -> Iterator[None]:
    """Within: the next child that is forked is pid 1 of a PID namespace of its own.

    The kernel allows one such namespace at a time, hence the way back to our own (setns(2)).
    """
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    try:
        unshare(PID)
        try:
            yield
        finally:
            if _libc.setns(ctypes.c_int(own), ctypes.c_int(PID)) != 0:
                # No OSError, after which one would go on: later children would be born into a dead namespace.
                raise RuntimeError(f"no way back to our PID namespace: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(own)
