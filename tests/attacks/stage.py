"""Where attacks are run: in namespaces of their own, in one of three settings. Then ``run`` is exec'ed.

As ``python -m tests.attacks.stage SETTING``; with ``over-http`` behind it, ``over_http`` is the run. It gets
an empty /tmp, System V objects and a host name that are nobody else's, so that what is left behind is seen
exactly, and what gets through reaches a host that is thrown away::

    root     as root
    userns   an ordinary user
    bare     an ordinary user whom the kernel refuses every namespace: their limits are 0 (namespaces(7),
             /proc/sys/user), in a user namespace above his

Root becomes a real user of another uid, for whom the kernel counts what it does not count for root
(RLIMIT_NPROC, descriptors in flight). An ordinary user stays who he is, without privilege, in a nested user
namespace.
"""

from __future__ import annotations

import ctypes
import os
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from sandbox.confine import namespaces
from tests.shared import SHARED

SETTINGS = ("root", "userns", "bare")
ROOT = Path(__file__).resolve().parents[2]
ORDINARY = 59_999
"""A uid that nobody has (systemd.io/UIDS-GIDS: the last one of "regular users")."""
GROUP = ORDINARY - 1
"""His group, another number: a service's user seldom has the same one for both."""
OWN = namespaces.MOUNT | namespaces.IPC | namespaces.UTS
KINDS = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "time")

_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 1 << 14, 1 << 18  # include/uapi/linux/mount.h
_libc = ctypes.CDLL(None, use_errno=True)


def enter(setting: str) -> None:
    """Become what ``setting`` says, in this process; whoever returns from here has only to exec."""
    if setting == "root":
        namespaces.unshare(OWN)
        replace_folders(open_to_all=False)
    elif os.geteuid() == 0:
        if setting == "bare":
            enter_user_namespace([0, ORDINARY, GROUP])
        namespaces.unshare(OWN)
        replace_folders(open_to_all=True)
        if setting == "bare":
            refuse_namespaces(users=0)
        os.setgroups([])
        os.setresgid(GROUP, GROUP, GROUP)
        os.setresuid(ORDINARY, ORDINARY, ORDINARY)
    else:
        outside = os.geteuid()
        map_alone(outside, 0)
        namespaces.unshare(OWN)
        replace_folders(open_to_all=False)
        if setting == "bare":
            refuse_namespaces(users=1)
        map_alone(0, outside)


# ---- users -----------------------------------------------------------------------------------------
def enter_user_namespace(ids: list[int]) -> None:
    """Be in a new user namespace with these uids and gids, under their own numbers.

    A process outside has to write the map of more than one (user_namespaces(7)).
    """
    reading, writing = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.read(reading, 1)
        text = "".join(f"{number} {number} 1\n" for number in ids)
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{parent}/{name}").write_text(text)
        os._exit(0)
    namespaces.unshare(namespaces.USER)
    os.write(writing, b".")
    if os.waitpid(pid, 0)[1] != 0:
        raise OSError(f"the map of {ids} cannot be written")
    os.close(reading)
    os.close(writing)


def map_alone(outside: int, inside: int) -> None:
    """Be in a new user namespace whose only user, ``inside``, is ``outside`` for the one around it.

    His group, the only one as well, gets the same number.
    """
    group = os.getegid()  # nobody's in there before it is mapped
    namespaces.unshare(namespaces.USER)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {outside} 1"),
        ("gid_map", f"{inside} {group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text)


def refuse_namespaces(users: int) -> None:
    """Let the kernel refuse any further namespace, but for ``users`` user namespaces."""
    for kind in KINDS:
        Path(f"/proc/sys/user/max_{kind}_namespaces").write_text("0")
    Path("/proc/sys/user/max_user_namespaces").write_text(str(users))


# ---- files -----------------------------------------------------------------------------------------
def needed_paths() -> list[str]:
    """Return the folders without which nothing runs: checkout, interpreter, what lies beside the checkout."""
    paths = {str(ROOT), str(SHARED), sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()}
    return [os.path.realpath(path) for path in sorted(paths) if Path(path).is_dir()]


def replace_folders(*, open_to_all: bool) -> None:
    """Replace /tmp and /dev/shm by what of them is needed; ``open_to_all``: and what others cannot enter."""
    mount("", "/", "", _MS_REC | _MS_PRIVATE)
    needed = needed_paths()
    folders = {folder for folder in ("/tmp", "/dev/shm") if Path(folder).is_dir()}
    if open_to_all:
        folders |= {folder for path in needed if (folder := closed_above(path))}
    shared = os.path.realpath(SHARED) if SHARED.is_symlink() else ""
    for folder in sorted(folders):
        replace(folder, [path for path in needed if path.startswith(f"{folder}/")])
    if shared and not SHARED.is_symlink():  # it was in what was replaced
        SHARED.symlink_to(shared)
    os.chdir(ROOT)


def closed_above(path: str) -> str | None:
    """Return the first folder on the way to ``path`` that others may not enter."""
    above = [str(folder) for folder in reversed(Path(path).parents)]
    return next((folder for folder in above if not Path(folder).stat().st_mode & 0o001), None)


def replace(folder: str, keep: Iterable[str]) -> None:
    """Cover ``folder`` with an empty one in memory that holds nothing but ``keep``."""
    kept = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in keep}
    mode = 0o1777 if folder in {"/tmp", "/dev/shm"} else 0o755
    mount("tmpfs", folder, "tmpfs", 0, f"size=256m,mode={mode:o}")
    for path, descriptor in kept.items():
        Path(path).mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", path, "", _MS_BIND | _MS_REC)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    words = (source.encode(), target.encode(), kind.encode())
    if _libc.mount(*words, ctypes.c_ulong(flags), data.encode()) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount on {target}: {os.strerror(number)}")


def main(setting: str, words: list[str]) -> None:
    enter(setting)
    os.umask(0o077)  # as the daemon has it
    # What a daemon has in its environment and memory, and nobody else may: made here, told to nobody.
    secret = f"exchange-key-{os.urandom(16).hex()}"
    environment = {"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8", "EXCHANGE_KEY": secret}
    over_http = words[:1] == ["over-http"]
    program, rest = ("over_http", words[1:]) if over_http else ("run", words)
    command = [sys.executable, "-B", "-m", f"tests.attacks.{program}", setting, *rest]
    os.execve(command[0], command, environment)  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
