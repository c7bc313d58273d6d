"""What attacks must leave as it was: a picture of the host before and after, and the difference in words."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sandbox.confine.cgroup_place import PREFIX

ROOT = Path(__file__).resolve().parents[2]
CLOCK = 0.5
"""Seconds that the clock may have been slewed by whoever keeps it."""


class Picture(NamedTuple):
    """The parts of a host, and of this process, that a strategy may not change."""

    host_name: str
    wall_minus_monotonic: float
    affinity: frozenset[int]
    niceness: int
    own_group: str
    mounts: frozenset[str]
    groups: frozenset[str]
    system_v: frozenset[str]
    key_users: frozenset[str]
    files: frozenset[str]
    descriptors: frozenset[str]
    cells: frozenset[str]


def picture(*folders: Path) -> Picture:
    """Take one; ``folders`` are those in which nothing may appear."""
    return Picture(
        host_name=socket.gethostname(),
        wall_minus_monotonic=time.time() - time.monotonic(),
        affinity=frozenset(os.sched_getaffinity(0)),
        niceness=os.getpriority(os.PRIO_PROCESS, 0),
        own_group=Path("/proc/self/cgroup").read_text(),
        mounts=frozenset(Path("/proc/self/mountinfo").read_text().splitlines()),
        groups=frozenset(_groups()),
        system_v=frozenset(_system_v()),
        key_users=frozenset(_key_users()),
        files=frozenset(_files(folders)),
        descriptors=frozenset(_descriptors()),
        cells=frozenset(cells()),
    )


def _files(folders: Iterable[Path]) -> Iterator[str]:
    """Everything below, but for a checkout or interpreter that lies there: others write into those."""
    ours = (ROOT, Path(sys.prefix), Path(sys.base_prefix))
    for folder in folders:
        for path in folder.rglob("*"):
            if not any(path.is_relative_to(one) for one in ours):
                yield str(path)


def changed(before: Picture, after: Picture) -> list[str]:
    """Say what of the host and of the supervisor is not as it was."""
    found = [
        f"{name}: {was} before, {now} after"
        for name in ("host_name", "affinity", "niceness", "own_group")
        if (was := getattr(before, name)) != (now := getattr(after, name))
    ]
    if abs(before.wall_minus_monotonic - after.wall_minus_monotonic) > CLOCK:
        found.append("the clock was set")
    return found


def left(before: Picture, after: Picture) -> list[str]:
    """Say what is left behind."""
    return [
        f"{name}: {what}"
        for name in ("mounts", "groups", "system_v", "key_users", "files", "descriptors", "cells")
        for what in sorted(getattr(after, name) - getattr(before, name))
    ]


def cells() -> list[str]:
    """Return every process whose supervisor is this one: all have the command line of the zygote."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            name = (folder / "comm").read_text().strip()
        except OSError:  # it ended meanwhile
            continue
        if b"sandbox.zygote" in words and str(os.getpid()).encode() in words:
            found.append(f"{name} {folder.name}")
    return found


def _groups() -> list[str]:
    """Return every control group but those of other daemons and of hosts that are tried (tests/host).

    Both come and go beside this.
    """
    own = f"attacks-{os.getpid()}"
    found = [str(path) for path in Path("/sys/fs/cgroup").glob("**/")]
    return [path for path in found if own in path or (PREFIX not in path and "/vmtest." not in path)]


def _system_v() -> list[str]:
    kinds = ("shm", "sem", "msg")
    lines = [line for kind in kinds for line in Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]]
    return lines + [path.name for path in Path("/dev/shm").glob("*")]


def _key_users() -> list[str]:
    """Return the users who have keys in the kernel (keyrings(7))."""
    return [line.split(":")[0].strip() for line in Path("/proc/key-users").read_text().splitlines()]


def _descriptors() -> list[str]:
    found = []
    for path in Path("/proc/self/fd").iterdir():
        try:
            found.append(f"{path.name} {path.readlink()}")
        except OSError:  # the one that lists them
            continue
    return found
