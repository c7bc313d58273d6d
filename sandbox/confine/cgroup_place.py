"""Where the groups of a daemon go: in a subtree delegated to it, else at the top, never out of a limit.

Three cases, in this order, for each version.

    delegated   the daemon's own group was given to it: systemd's ``Delegate=`` marks it with an extended
                attribute (systemd.resource-control(5)), a container's own root counts as given, and so does
                a group that an ordinary user may write. There the groups go below it; in version 2 the
                daemon first moves into a leaf, ``daemon``, because a group that has processes cannot hand
                controllers on ("no internal processes", cgroups(7)).
    the top     a daemon that may write there (root), and no limit above it: a group of its own at the top of
                the hierarchy, as docker and lxc make theirs. Not in the group it happens to run in, which
                belongs to whoever started it, a login session say, and goes away with that.
    its own     in version 1, where a limit above it must go on holding for its cells too.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from sandbox.confine.cgroup_dialect import IO_WEIGHT
from sandbox.confine.cgroup_files import Files

PREFIX = "stratd-"
"""How the folder of a daemon begins; what names the daemon follows."""
LEAF = "daemon"
"""Where a daemon goes whose own group was delegated to it."""
WANTED = ("memory", "cpu", "pids", "cpuacct", "freezer")
MOUNTS = Path("/proc/self/mountinfo")
OWN = Path("/proc/self/cgroup")
NO_LIMIT = 2**62
"""A limit that is none: version 1 says "no limit" with the largest multiple of a page, 0x7ffffffffffff000."""


class Place(NamedTuple):
    """Where a daemon's groups go: the folder of its own, by controller, or why there is none.

    Version 2 has one folder for all; under ``cgroup`` it is named for what needs no controller. ``leave`` is
    the group that the daemon must leave first, None if it need not; ``enable`` the controllers to hand on;
    ``weigh`` whether the disk is shared out by weight, too, where that can be had.
    """

    version: Literal[1, 2]
    bases: dict[str, Path]
    refusal: str = ""
    leave: Path | None = None
    enable: tuple[str, ...] = ()
    weigh: bool = False

    def enter(self, files: Files) -> None:
        """Make the folder ready to hold groups. ``OSError`` names what was refused."""
        if self.leave is not None:
            leaf = self.leave / LEAF
            files.make(leaf)
            files.write(leaf / "cgroup.procs", str(os.getpid()))
        for base in sorted(set(self.bases.values())):
            files.make(base)
            for folder in (base.parent, base) if self.enable else ():
                for controller in self.enable:
                    files.write(folder / "cgroup.subtree_control", f"+{controller}")
            if self.weigh:
                with contextlib.suppress(
                    OSError
                ):  # a kernel without CONFIG_BLK_CGROUP_IOCOST has no such file
                    for folder in (base.parent, base):  # and among themselves each cell has the same
                        files.write(folder / "cgroup.subtree_control", "+io")
                    files.write(base / "io.weight", str(IO_WEIGHT))


class Hierarchy(NamedTuple):
    """A mounted hierarchy: its controllers (none in version 2), where it is mounted, and which part of it."""

    controllers: frozenset[str]
    mount: Path
    root: str


def hierarchies(mountinfo: str) -> list[Hierarchy]:
    """Read /proc/self/mountinfo (proc_pid_mountinfo(5)): version 2 has no controllers. Pure."""
    found = []
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or len(kind) < 3 or kind[0] not in ("cgroup", "cgroup2"):
            continue
        root, mount = (part.replace("\\040", " ") for part in fields[3:5])
        names = frozenset(kind[2].split(",")) & set(WANTED) if kind[0] == "cgroup" else frozenset()
        if names or kind[0] == "cgroup2":
            found.append(Hierarchy(names, Path(mount), root))
    return found


def own_groups(text: str) -> dict[str, str]:
    """Read /proc/self/cgroup: the path of our group by controller, under "" that of version 2. Pure."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def places(key: str, files: Files) -> Iterator[Place]:
    """Return where groups could go, version 2 first; nothing is made yet. Never raises."""
    try:
        mounted = hierarchies(files.read(MOUNTS))
        own = own_groups(files.read(OWN))
    except OSError:
        return
    for hierarchy in mounted:
        if not hierarchy.controllers:
            try:
                yield _version_2(hierarchy, own.get("", "/"), f"{PREFIX}{key}", files)
            except OSError as error:
                yield Place(2, {}, f"{error.filename}: {error.strerror}")
    bases: dict[str, Path] = {}
    for hierarchy in mounted:
        for controller in sorted(hierarchy.controllers):
            base = _version_1(hierarchy, own.get(controller, "/"), files)
            if base is not None:
                bases.setdefault(controller, base / f"{PREFIX}{key}")
    if any(hierarchy.controllers for hierarchy in mounted):
        yield Place(1, bases, "" if bases else "its hierarchies cannot be written by this user")


def folder_of(hierarchy: Hierarchy, path: str) -> Path:
    """Return the folder of a group; the mount's own where the path lies outside of what is mounted."""
    root = hierarchy.root.rstrip("/")
    if not path.startswith(root + "/") and path != root:
        return hierarchy.mount
    return hierarchy.mount / path[len(root) :].strip("/")


def _version_1(hierarchy: Hierarchy, path: str, files: Files) -> Path | None:
    own, top = folder_of(hierarchy, path), hierarchy.mount
    limited = any(_limited_1(folder, files) for folder in upwards(own, top))
    candidates = (own,) if limited else (top, own)
    return next((folder for folder in candidates if files.writable(folder / "cgroup.procs")), None)


def _version_2(hierarchy: Hierarchy, path: str, name: str, files: Files) -> Place:
    own, top = folder_of(hierarchy, path), hierarchy.mount
    if own.name == LEAF and _delegated(own.parent, top, files):  # moved there before, by a start that failed
        own = own.parent
    if _delegated(own, top, files):
        parent = own
        inside = [int(pid) for pid in files.read(own / "cgroup.procs").split()]
        if set(inside) - {os.getpid()}:
            return Place(2, {}, f"{own} is delegated, but other processes are in it")
        leave, weigh = (own if inside else None), True
    elif files.exists(top / "cgroup.type") or not files.writable(top / "cgroup.procs"):
        return Place(2, {}, f"{own} is not delegated to this daemon (Delegate= in its unit)")
    elif limited := [folder for folder in upwards(own, top) if _limited_2(folder, files)]:
        return Place(2, {}, f"{limited[0]} is limited, and not delegated to this daemon (Delegate=)")
    else:
        parent, leave, weigh = top, None, False  # the top is everybody's: what is handed on there is not ours
    present = files.read(parent / "cgroup.controllers").split()
    enable = tuple(controller for controller in ("memory", "cpu", "pids") if controller in present)
    if not enable:
        return Place(2, {}, f"{parent} has none of the controllers memory, cpu and pids")
    bases = dict.fromkeys((*enable, "cgroup"), parent / name)
    return Place(2, bases, leave=leave, enable=enable, weigh=weigh and "io" in present)


def _delegated(folder: Path, top: Path, files: Files) -> bool:
    needed = (folder / "cgroup.procs", folder / "cgroup.subtree_control")
    if not files.exists(folder / "cgroup.type") or not all(files.writable(file) for file in needed):
        return False  # the root of all has no type, and is nobody's
    if os.geteuid() != 0 or folder == top:
        return True
    return b"1" in (files.attribute(folder, "trusted.delegate"), files.attribute(folder, "user.delegate"))


def _limited_1(folder: Path, files: Files) -> bool:
    memory = _number(folder / "memory.limit_in_bytes", files)
    return 0 <= memory < NO_LIMIT or _number(folder / "cpu.cfs_quota_us", files) > 0


def _limited_2(folder: Path, files: Files) -> bool:
    # Not pids.max: systemd gives one to every session and service, which is no promise to anybody.
    files_that_limit = (folder / "memory.max", folder / "cpu.max")
    return any(files.exists(file) and not files.read(file).startswith("max") for file in files_that_limit)


def _number(file: Path, files: Files) -> int:
    try:
        return int(files.read(file))
    except (OSError, ValueError):
        return -1


def upwards(folder: Path, top: Path) -> Iterator[Path]:
    """Return ``folder`` and every one above it, up to ``top``."""
    while True:
        yield folder
        if folder in (top, folder.parent):
            return
        folder = folder.parent
