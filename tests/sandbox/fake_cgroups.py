"""A version 2 kernel in a dictionary: the rules of cgroups(7) that the product must live with, as files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from sandbox.confine.cgroup_files import Files

TOP = Path("/sys/fs/cgroup")
MOUNTINFO = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


class FakeVersion2(Files):
    """Groups below ``TOP``; this process is in ``own``. ``delegated`` are those with systemd's mark.

    A group with processes cannot hand controllers on, a controller must have been handed on to be limited,
    and a group with processes or groups in it cannot be removed.
    """

    def __init__(self, own: str, *, delegated: tuple[str, ...] = (), controllers: str = "cpu io memory pids"):
        self.groups: dict[Path, dict[str, str]] = {
            TOP: {"cgroup.procs": "", "cgroup.subtree_control": controllers}
        }
        self.controllers = controllers
        self.delegated = {TOP / path for path in delegated}
        folder = TOP
        for part in Path(own).parts[1:]:
            folder /= part
            self.groups[folder] = {"cgroup.procs": "", "cgroup.subtree_control": controllers}
        self.groups[folder].update({"cgroup.procs": f"{os.getpid()}\n", "cgroup.subtree_control": ""})
        self.own = own

    def read(self, file: Path) -> str:
        if file == Path("/proc/self/mountinfo"):
            return MOUNTINFO
        if file == Path("/proc/self/cgroup"):
            return f"0::{self.own}\n"
        if file.name == "cgroup.controllers":
            return self._offered(file.parent)
        try:
            return self.groups[file.parent][file.name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file)) from None

    def _offered(self, folder: Path) -> str:
        return self.controllers if folder == TOP else self.groups[folder.parent]["cgroup.subtree_control"]

    def write(self, file: Path, text: str) -> None:
        folder = file.parent
        if folder not in self.groups:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        files = self.groups[folder]
        if file.name == "cgroup.procs":
            for other in self.groups.values():
                other["cgroup.procs"] = other["cgroup.procs"].replace(f"{text}\n", "")
            files["cgroup.procs"] += f"{text}\n"
        elif file.name == "cgroup.subtree_control":
            if files["cgroup.procs"] and folder != TOP:
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(file))
            if text[1:] not in self._offered(folder).split():
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
            enabled = dict.fromkeys([*files["cgroup.subtree_control"].split(), text[1:]])
            files["cgroup.subtree_control"] = " ".join(enabled)
        elif file.name.partition(".")[0] not in ("cgroup", *self._offered(folder).split()):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        else:
            files[file.name] = text

    def open(self, file: Path) -> int:
        self.read(file)
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def make(self, folder: Path) -> None:
        self.groups.setdefault(folder, {"cgroup.procs": "", "cgroup.subtree_control": ""})

    def remove(self, folder: Path) -> None:
        if folder not in self.groups:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
        if self.groups[folder]["cgroup.procs"] or self.folders(folder):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(folder))
        del self.groups[folder]

    def lock(self, folder: Path) -> int:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def folders(self, folder: Path) -> list[str]:
        return [group.name for group in self.groups if group.parent == folder]

    def exists(self, file: Path) -> bool:
        if file.name == "cgroup.type":
            return file.parent in self.groups and file.parent != TOP
        return file.name in self.groups.get(file.parent, {})

    def writable(self, file: Path) -> bool:
        return self.exists(file)

    def attribute(self, file: Path, name: str) -> bytes:
        return b"1" if name == "trusted.delegate" and file in self.delegated else b""
