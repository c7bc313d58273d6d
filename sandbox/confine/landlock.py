"""Landlock: a process takes rights to files, TCP, abstract sockets and signals from itself, for good.

Sources: landlock(7), landlock_create_ruleset(2), landlock_add_rule(2), landlock_restrict_self(2),
Documentation/userspace-api/landlock.rst, include/uapi/linux/landlock.h.

What it alone holds: nothing outside the given paths is opened, made, removed or renamed; nothing is executed;
no TCP; no abstract socket and no signal to who is not in here as well. What it lets through, so that mounts
and seccomp must hold it: stat, chdir, chmod, chown, utime and xattr anywhere; sockets with a path (until
ABI 9), UDP (until ABI 10), raw sockets; descriptors that are open already.

It takes hold of the calling thread and its children only: call it while there is one thread.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

# The same numbers on every architecture (Linux 5.13).
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446

_CREATE_RULESET_VERSION: Final = 1
_RULE_PATH_BENEATH: Final = 1
# Whoever runs unknown code without execve(2) asks for no audit record a refusal: it could write any number.
_LOG_SAME_EXEC_OFF: Final = 1
# struct landlock_ruleset_attr { __u64 handled_access_fs, handled_access_net, scoped; }
_RULESET = struct.Struct("=QQQ")
# struct landlock_path_beneath_attr { __u64 allowed_access; __s32 parent_fd; } packed
_PATH_BENEATH = struct.Struct("=Qi")
_BENEATH, _NONE = ctypes.c_int(_RULE_PATH_BENEATH), ctypes.c_uint32(0)

# LANDLOCK_ACCESS_FS_*
EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
REMOVE_DIR: Final = 1 << 4
REMOVE_FILE: Final = 1 << 5
MAKE_CHAR: Final = 1 << 6
MAKE_DIR: Final = 1 << 7
MAKE_REG: Final = 1 << 8
MAKE_SOCK: Final = 1 << 9
MAKE_FIFO: Final = 1 << 10
MAKE_BLOCK: Final = 1 << 11
MAKE_SYM: Final = 1 << 12
REFER: Final = 1 << 13
TRUNCATE: Final = 1 << 14
IOCTL_DEV: Final = 1 << 15
RESOLVE_UNIX: Final = 1 << 16
# LANDLOCK_ACCESS_NET_*
BIND_TCP: Final = 1 << 0
CONNECT_TCP: Final = 1 << 1
BIND_UDP: Final = 1 << 2
CONNECT_SEND_UDP: Final = 1 << 3
# LANDLOCK_SCOPE_*
ABSTRACT_SOCKETS: Final = 1 << 0
SIGNALS: Final = 1 << 1

_SINCE: Final[tuple[tuple[int, int, int, int], ...]] = (
    # ABI, files, net, scopes                                        Linux
    (1, REFER - 1, 0, 0),  # all up to MAKE_SYM                       5.13
    (2, REFER, 0, 0),  #                                              5.19
    (3, TRUNCATE, 0, 0),  #                                           6.2
    (4, 0, BIND_TCP | CONNECT_TCP, 0),  #                             6.7
    (5, IOCTL_DEV, 0, 0),  #                                          6.10
    (6, 0, 0, ABSTRACT_SOCKETS | SIGNALS),  #                         6.12
    (9, RESOLVE_UNIX, 0, 0),  #                                       7.1
    (10, 0, BIND_UDP | CONNECT_SEND_UDP, 0),  #                       7.2
)
"""What came when. ABI 7 is about audit, 8 about threads: nothing to hold."""

READING: Final = READ_FILE | READ_DIR
WRITING: Final = READING | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
"""Files and folders, also moved between folders; no pipe, socket, device or link is made."""
DEVICE: Final = READ_FILE | WRITE_FILE
_OF_A_FILE: Final = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV | RESOLVE_UNIX
"""What a rule for something that is no folder may grant: more is EINVAL."""


class Rights(NamedTuple):
    """Bits of ``struct landlock_ruleset_attr``: what is refused unless a rule grants it."""

    files: int
    net: int
    scopes: int


# Cached, so that the zygote asks: what a child does anew copies pages, 300 us of them here.
@functools.cache
def handled(abi: int, *, signals: bool = True) -> Rights:
    """Return everything that a kernel of ``abi`` can refuse; without ``signals``, all but these."""
    known = [row for row in _SINCE if row[0] <= abi]
    files, net, scopes = (sum(row[column] for row in known) for column in (1, 2, 3))
    return Rights(files, net, scopes if signals else scopes & ~SIGNALS)


@functools.cache
def abi() -> int:
    """Return the version of Landlock that this kernel has, 0 for none."""
    version = _syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_CREATE_RULESET_VERSION))
    return max(0, int(version))


def restrict(
    *,
    read: Iterable[str | int] = (),
    write: Iterable[str] = (),
    devices: Iterable[str] = (),
    sockets: Iterable[str] = (),
    signals: bool = True,
) -> int:
    """Take every right from this process but these; return the ABI that was used.

    ``read`` and ``write`` are files or folders with all below (``read`` also as O_PATH descriptors),
    ``devices`` may be read and written but not controlled, ``sockets`` may be connected to (no other path,
    from ABI 9 on). A path that does not exist, or that we may not reach, is skipped: it would grant nothing
    of its own. ``signals`` keeps signals inside: a warden, which signals its strategy, does without.
    Needs NO_NEW_PRIVS, or CAP_SYS_ADMIN. ``OSError`` names the step.
    """
    version = abi()
    if not version:
        raise OSError(errno.ENOSYS, "landlock: this kernel has none, or did not enable it at boot")
    rights = handled(version, signals=signals)
    # Older kernels know less of the structure, and take it if the rest is 0: as it is by ``handled``.
    size = ctypes.c_size_t(_RULESET.size)
    ruleset = _checked("landlock: create", _syscall(_CREATE_RULESET, _RULESET.pack(*rights), size, _NONE))
    try:
        number = ctypes.c_int(ruleset)
        for paths, granted in (
            (read, READING),
            (write, WRITING),
            (devices, DEVICE),
            (sockets, RESOLVE_UNIX),
        ):
            if granted & rights.files:
                for path in paths:
                    _allow(number, path, granted & rights.files)
        quiet = ctypes.c_uint32(_LOG_SAME_EXEC_OFF if version >= 7 else 0)
        _checked("landlock: restrict", _syscall(_RESTRICT_SELF, number, quiet))
    finally:
        os.close(ruleset)
    return version


def _allow(ruleset: ctypes.c_int, path: str | int, granted: int) -> None:
    try:
        below = os.dup(path) if isinstance(path, int) else os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return
    except OSError as error:
        raise OSError(error.errno, f"landlock: rule for {path}: {error.strerror}") from None
    try:
        if _add(ruleset, below, granted) == 0:
            return
        # A rule with a folder's rights for something that is none is EINVAL: asked this way round, folders,
        # which most are, cost no fstat(2).
        if ctypes.get_errno() != errno.EINVAL or _add(ruleset, below, granted & _OF_A_FILE) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"landlock: rule for {path}: {os.strerror(number)}")
    finally:
        os.close(below)


def _add(ruleset: ctypes.c_int, below: int, granted: int) -> int:
    return int(_syscall(_ADD_RULE, ruleset, _BENEATH, _PATH_BENEATH.pack(granted, below), _NONE))


def _checked(step: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{step}: {os.strerror(number)}")
    return result
