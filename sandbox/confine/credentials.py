"""Credentials: user, groups and capabilities are given up, and every way to have them back is closed.

Sources: capabilities(7), credentials(7), prctl(2), capset(2), user_namespaces(7);
include/uapi/linux/{capability,securebits,prctl}.h.

What this alone holds: files, processes and sockets of other users; mounts, devices, raw sockets, other users'
priorities, and whatever else needs a capability; a set-user-ID program gives nothing (NO_NEW_PRIVS); nobody
of the same user reads its memory or traces it (not dumpable). It does nothing against what any user may do.

Every change of credentials clears the death signal (prctl(2)): ``process.die_with_parent`` comes after.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Callable, Collection
from enum import IntEnum
from typing import Any, Final

_libc = ctypes.CDLL(None, use_errno=True)
_prctl_call = _libc.prctl
_prctl_call.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


UIDS: Final = 0x70000000
"""First uid of the cells of daemons that are root, two a cell: a range that systemd leaves to nobody
(systemd.io/UIDS-GIDS: above the containers' uids, below 2^31)."""
UIDS_OF_A_BLOCK: Final = 1 << 16
UID_BLOCKS: Final = (0x80000000 - UIDS) // UIDS_OF_A_BLOCK
"""The range is divided among the daemons of a host, 32,768 cells each."""


class Capability(IntEnum):
    """Numbers of linux/capability.h: those that a part of the daemon keeps, or a test asks for."""

    CHOWN = 0
    DAC_OVERRIDE = 1
    DAC_READ_SEARCH = 2
    FOWNER = 3
    KILL = 5
    SETGID = 6
    SETUID = 7
    SETPCAP = 8
    SYS_CHROOT = 18
    SYS_ADMIN = 21
    SYS_NICE = 23
    SYS_RESOURCE = 24
    MKNOD = 27


# linux/prctl.h
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_SECUREBITS: Final = 28
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

# linux/securebits.h. Uid 0 means nothing at exec, changes of uid leave capabilities alone (so that exactly
# what is kept is kept, by capset), they cannot be kept by KEEP_CAPS nor raised as ambient; each one locked.
_NOROOT, _NO_SETUID_FIXUP, _NO_CAP_AMBIENT_RAISE = 1 << 0, 1 << 2, 1 << 6
_LOCKS: Final = 1 << 1 | 1 << 3 | 1 << 5 | 1 << 7
SECUREBITS: Final = _NOROOT | _NO_SETUID_FIXUP | _NO_CAP_AMBIENT_RAISE | _LOCKS

_VERSION_3: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: sets of 64 bits, in two words each
_HEADER: Final = struct.pack("=Ii", _VERSION_3, 0)
_SETS = struct.Struct("=6I")  # struct __user_cap_data_struct[2]: effective, permitted, inheritable
_CAPABILITIES: Final = 64  # more than there are: the kernel says where its own end


def drop(uid: int | None = None, gid: int | None = None, *, keep: Collection[Capability] = ()) -> None:
    """Give up every privilege but the capabilities ``keep``, for good. ``OSError`` names the step.

    With a ``uid`` the process becomes it, and ``gid`` (by default the same number), without other groups:
    that needs SETUID, SETGID and SETPCAP. Without one it stays who it is: an ordinary user, who has neither
    a bounding set to empty nor gains by one; or the only user of a user namespace, where groups cannot be
    given up (so the daemon shall have none).
    """
    _checked("clear ambient set", _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL))
    if _empty_bounding_set(required=uid is not None):
        _checked("lock securebits", _prctl(_PR_SET_SECUREBITS, SECUREBITS))
    if uid is None:
        with contextlib.suppress(PermissionError):
            os.setgroups([])
    else:
        gid = uid if gid is None else gid
        _named("set groups", os.setgroups, [])
        _named(f"set gid {gid}", os.setresgid, gid, gid, gid)
        _named(f"set uid {uid}", os.setresuid, uid, uid, uid)
    _hold(keep)
    forbid_new_privileges()
    refuse_tracing()  # a change of uid resets it, so it is last


def refuse_tracing() -> None:
    """Let no process of the same user read this one's memory or trace it (PR_SET_DUMPABLE of prctl(2))."""
    _checked("not dumpable", _prctl(_PR_SET_DUMPABLE, 0))


def keep_only(keep: Collection[Capability]) -> None:
    """Hold what there is of these capabilities and no other, and stay the same user: the zygote as root.

    It never execs, so its bounding set is emptied altogether; what it forks inherits that. One that it has
    not (docker gives root no DAC_READ_SEARCH) is no fault here: what needs it fails, and says so.
    """
    held = _permitted()
    _checked("clear ambient set", _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL))
    _empty_bounding_set(required=True)
    _hold([capability for capability in keep if held >> capability & 1])


def forbid_new_privileges() -> None:
    """Let no exec give what the process has not (PR_SET_NO_NEW_PRIVS); seccomp and Landlock ask for it."""
    _checked("no new privileges", _prctl(_PR_SET_NO_NEW_PRIVS, 1))


def _hold(keep: Collection[Capability]) -> None:
    """Set effective and permitted to ``keep``, inheritable to nothing."""
    wanted = 0
    for capability in keep:
        wanted |= 1 << capability
    low, high = wanted & 0xFFFFFFFF, wanted >> 32
    if _libc.capset(_HEADER, _SETS.pack(low, low, 0, high, high, 0)) != 0:
        names = " ".join(capability.name for capability in keep)
        _checked(f"hold only {names or 'no'} capabilities", -1)


def _permitted() -> int:
    """Return the permitted set, a bit a capability (capget(2))."""
    sets = ctypes.create_string_buffer(_SETS.size)
    _checked("read capabilities", int(_libc.capget(_HEADER, sets)))
    words = _SETS.unpack(sets.raw)
    return int(words[1] | words[4] << 32)


def _empty_bounding_set(*, required: bool) -> bool:
    """Whether it could be emptied: not without SETPCAP, which is an error only if it is ``required``."""
    # Without asking capget(2) first: that would cost a child five times what the refusal does.
    for capability in range(_CAPABILITIES):
        if _prctl(_PR_CAPBSET_DROP, capability) != 0:
            if ctypes.get_errno() == errno.EINVAL:  # past the last one that this kernel has
                break
            if ctypes.get_errno() == errno.EPERM and not required:
                return False
            _checked("empty bounding set", -1)
    return True


def _prctl(option: int, argument: int) -> int:
    return int(_prctl_call(option, argument, 0, 0, 0))


def _checked(step: str, result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"credentials: {step}: {os.strerror(number)}")


def _named(step: str, call: Callable[..., object], *arguments: Any) -> None:
    try:
        call(*arguments)
    except OSError as error:
        raise OSError(error.errno, f"credentials: {step}: {error.strerror}") from None
