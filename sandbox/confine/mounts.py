"""The file system of a cell: a root of its own, made once, entered by every process (pivot_root(2)).

The zygote builds the root: an empty tmpfs into which the interpreter, its libraries and three devices are
bound, read-only, under the paths that they have on the host, so that ``sys.path`` stays true. Each process
of a cell takes a copy of all mounts (a mount namespace), adds what is its own, makes the root its ``/`` and
lets go of everything else. No /proc, no /sys, no home, no other strategy's code.

::

    /usr, the interpreter and its packages    the host's, read-only
    /dev/null random urandom                  no /dev/zero: a shared mapping of it is memory without a limit
    /tmp, /dev/shm -> /tmp/.shm               a tmpfs of its own, bounded, not executable (strategy)
    /strategy or /strategy.py                 the code, read-only (strategy)
    /packages                                 what its requirements lock names, read-only (strategy)
    /bus                                      the folder of the engine's sockets, read-only (warden)

Mounts are made by descriptor (open_tree(2), mount_setattr(2): Linux 5.12), so that none is writable even for
a moment, and flags that the host locked stay.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import stat
import struct
import sys
import sysconfig
from collections.abc import Iterable

_libc = ctypes.CDLL(None, use_errno=True)

# include/uapi/linux/mount.h
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_MS_REC, _MS_SLAVE = 1 << 14, 1 << 19
_MNT_DETACH = 2
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV, _ATTR_NOEXEC = 1, 2, 4, 8
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_MOVE_MOUNT_F_EMPTY_PATH = 4
_RESOLVE_NO_SYMLINKS = 4  # include/uapi/linux/openat2.h
_AT_FDCWD, _AT_EMPTY_PATH, _AT_RECURSIVE = -100, 0x1000, 0x8000
# These four have the same number on every architecture; pivot_root(2) is older than that custom.
_SYS_OPENAT2 = 437
_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_MOUNT_SETATTR = 428, 429, 442
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(platform.machine(), -1)

NO_CODE = "/no-strategy"
"""Where nothing is: the code of a cell whose code is gone."""
CODE, CODE_FILE, PACKAGES, BUS, SCRATCH = "/strategy", "/strategy.py", "/packages", "/bus", "/tmp"  # noqa: S108
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives",
    # How many processors there are, and of which kind: numerical libraries ask as they are imported.
    "/sys/devices/system/cpu", "/proc/cpuinfo", "/proc/meminfo",
)  # fmt: skip
_ROOT_LIMITS = "size=1m,nr_inodes=2k,mode=0755"  # directories and mount points, no data


class _Attributes(ctypes.Structure):
    """``struct mount_attr`` of mount_setattr(2)."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def readable() -> list[str]:
    """Return what a strategy may read of the host: the interpreter and every folder it imports from.

    Of a checkout only the packages that a strategy needs, not the folder that they lie in.
    """
    ours = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
    names = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    names |= {f"{prefix}/lib" for prefix in (sys.base_prefix, sys.prefix)}
    names |= {path for path in sys.path if path and path != ours}
    names |= {f"{ours}/{package}" for package in ("bus", "sandbox", "strategies")}
    there = sorted(path for path in names if os.path.isdir(path))  # noqa: PTH112
    return [*(path for path in _SYSTEM if os.path.lexists(path)), *_outermost(there)]


def _outermost(paths: Iterable[str]) -> list[str]:
    """Leave out what lies in another one of ``paths``, which are sorted, or in a folder of the system."""
    kept: list[str] = []
    for path in paths:
        if not any(path == above or path.startswith(f"{above}/") for above in (*_SYSTEM[:7], *kept)):
            kept.append(path)
    return kept


# ---- the root, once ---------------------------------------------------------------------------------
def build_root(at: str, paths: Iterable[str]) -> None:
    """Build the root at the folder ``at`` of this process' own mount namespace."""
    _mount("", "/", "", _MS_REC | _MS_SLAVE)
    _mount("tmpfs", at, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, _ROOT_LIMITS)
    for path in paths:
        _show(at, path, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)
    for path in DEVICES:
        _show(at, path, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NOEXEC)
    for folder in (CODE, PACKAGES, BUS, SCRATCH):
        _make_folder(at + folder)
    os.close(os.open(at + CODE_FILE, os.O_CREAT | os.O_CLOEXEC, 0o644))
    os.symlink(f"{SCRATCH}/.shm", f"{at}/dev/shm")  # noqa: PTH211, S108
    _set_attributes(_AT_FDCWD, at, _ATTR_RDONLY, recursive=False)


def _show(at: str, path: str, attributes: int) -> None:
    """Make ``path`` of the host visible at the same place under ``at``."""
    inside = at + path
    _make_folder(os.path.dirname(inside))  # noqa: PTH120
    if os.path.islink(path):  # noqa: PTH114 - /lib -> usr/lib on a merged /usr (file-hierarchy(7))
        os.symlink(os.readlink(path), inside)  # noqa: PTH115, PTH211
        return
    if os.path.isdir(path):  # noqa: PTH112
        _make_folder(inside)
    else:
        os.close(os.open(inside, os.O_CREAT | os.O_CLOEXEC, 0o644))
    bind(path, inside, attributes)


def _make_folder(path: str) -> None:
    """Make a folder, and those above it, that every uid may enter: the daemon's umask is 077."""
    before = os.umask(0o022)
    try:
        os.makedirs(path, 0o755, exist_ok=True)  # noqa: PTH103
    finally:
        os.umask(before)


# ---- a process of a cell ----------------------------------------------------------------------------
def bind(source: str, target: str, attributes: int = _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV) -> None:
    """Show ``source`` with everything under it at ``target``, read-only; ``OSError`` names the source."""
    _bind(_AT_FDCWD, source, target, source, attributes)


def bind_opened(source: int, target: str, name: str) -> None:
    """Show what descriptor ``source`` leads to at ``target``, read-only; ``name`` is for an ``OSError``."""
    _bind(source, "", target, name, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def open_exactly(path: str) -> int:
    """Return an O_PATH descriptor of ``path``, absolute, which leads through no symbolic link (openat2(2)).

    For code, whose owner could lead a link elsewhere between a look at it and the next. ``OSError``: ELOOP
    for a link.
    """
    how = struct.pack("=QQQ", os.O_PATH | os.O_CLOEXEC, 0, _RESOLVE_NO_SYMLINKS)
    size = ctypes.c_size_t(len(how))
    try:
        return _call(_SYS_OPENAT2, path, ctypes.c_int(_AT_FDCWD), _path(path), how, size)
    except OSError as error:
        # A filter that judges how files are made cannot look into its structure: systemd's RestrictSUIDSGID=
        # answers as a kernel that has no such call.
        if error.errno != errno.ENOSYS:
            raise
    return _open_step_by_step(path)


def _open_step_by_step(path: str) -> int:
    """Do the same by a call a folder: each one is held while the next is opened in it."""
    folder = os.open("/", os.O_PATH | os.O_CLOEXEC)
    for name in path.split("/"):
        if not name:
            continue
        try:
            inside = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        finally:
            os.close(folder)
        if stat.S_ISLNK(os.fstat(inside).st_mode):  # O_PATH opens the link itself (open(2))
            os.close(inside)
            raise OSError(errno.ELOOP, f"{path}: {os.strerror(errno.ELOOP)}")
        folder = inside
    return folder


def _bind(folder: int, source: str, target: str, name: str, attributes: int) -> None:
    flags = _OPEN_TREE_CLONE | _OPEN_TREE_CLOEXEC | _AT_RECURSIVE | (0 if source else _AT_EMPTY_PATH)
    tree = _call(_SYS_OPEN_TREE, name, ctypes.c_int(folder), _path(source), ctypes.c_uint(flags))
    try:
        _set_attributes(tree, "", attributes, recursive=True)
        _call(
            _SYS_MOVE_MOUNT,
            target,
            ctypes.c_int(tree),
            _path(""),
            ctypes.c_int(_AT_FDCWD),
            _path(target),
            ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
        )
    finally:
        os.close(tree)


def make_scratch(at: str, size: int, owner: int, readable: Iterable[str] = ()) -> None:
    """Mount the strategy's own /tmp under the root at ``at``: ``size`` bytes, a file for every 4 KiB.

    Of user ``owner``, and of the group that goes with it: our own, or the same number for a cell's own user
    (``credentials.drop``). One that its user namespace does not know is refused with EINVAL.

    What is ``readable`` and lies in /tmp on the host, a checkout that is tried out say, is shown in there.
    """
    shown = [path for path in readable if path.startswith(f"{SCRATCH}/")]
    # Ours and open to all where we have to put something in: nobody else sees this mount.
    group = os.getegid() if owner == os.geteuid() else owner
    access = "mode=1777" if shown else f"mode=0700,uid={owner},gid={group}"
    limits = f"size={size},nr_inodes={max(64, size // 4096)},{access}"
    _mount("tmpfs", at + SCRATCH, "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, limits)
    for path in shown:
        _show(at, path, _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def enter_root(at: str) -> None:
    """Make the root at ``at`` the ``/`` of this process, and let go of every other mount."""
    os.chdir(at)
    # The same folder for the old root, which then lies over the new one (pivot_root(2), "Notes").
    _call(_SYS_PIVOT_ROOT, at, _path("."), _path("."))
    if _libc.umount2(_path("."), ctypes.c_int(_MNT_DETACH)) != 0:
        raise _error("umount of the host's root")
    os.chdir("/")


# ---- the calls --------------------------------------------------------------------------------------
def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    done = _libc.mount(_path(source), _path(target), _path(kind), ctypes.c_ulong(flags), _path(data))
    if done != 0:
        raise _error(f"mount {kind or 'propagation'} on {target}")


def _set_attributes(descriptor: int, path: str, attributes: int, *, recursive: bool) -> None:
    wanted = _Attributes(attributes, 0, 0, 0)
    flags = (_AT_RECURSIVE if recursive else 0) | (0 if path else _AT_EMPTY_PATH)
    _call(
        _SYS_MOUNT_SETATTR,
        path or "mount attributes",
        ctypes.c_int(descriptor),
        _path(path),
        ctypes.c_uint(flags),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )


def _path(text: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(os.fsencode(text))


def _call(number: int, what: str, *arguments: object) -> int:
    result: int = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise _error(what)
    return result


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    hint = " (Linux 5.12 brought it)" if number == errno.ENOSYS else ""
    return OSError(number, f"{what}: {os.strerror(number)}{hint}")
