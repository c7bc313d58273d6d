"""A control group for each strategy process: memory, processor and tasks, held by the kernel (cgroups(7)).

Rules of this file. Plain files, no ctypes. One interface over both versions: what differs is data, in
``cgroup_dialect``; where the groups go is decided in ``cgroup_place``; that they hold is found by doing: a
group is made, limited and removed (``discover``). Only the strategy is in its group, not its warden, which
must live to tell of an out-of-memory kill. A process joins by writing ``0`` to the descriptors of
``Group.open``, whose opener's rights count, so that it needs none itself (Documentation/admin-guide/
cgroup-v2.rst, "Delegation").

    v2  memory.max, memory.high, memory.swap.max 0, memory.oom.group, cpu.max, pids.max, cgroup.kill,
        cgroup.freeze; of all cells together io.weight; read besides: *.pressure (``pressure``)
    v1  memory.limit_in_bytes (and memsw), cpu.cfs_quota_us, pids.max, freezer: one hierarchy a controller
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import time
from pathlib import Path
from typing import Literal, NamedTuple

from sandbox.confine.cgroup_dialect import DIALECTS, Bounds, settings
from sandbox.confine.cgroup_files import Files
from sandbox.confine.cgroup_place import PREFIX, Place, places
from sandbox.confine.pressure import Pressures, of_group

CONTROLLERS = ("memory", "cpu", "pids")
"""What bounds a cell; the freezer only helps to kill."""


class Group:
    """The group of one instance: a folder in version 2, one a controller in version 1."""

    def __init__(self, name: str, place: Place, files: Files) -> None:
        self.name = name
        self.version: Literal[1, 2] = place.version
        self._files = files
        self._folders = {controller: base / name for controller, base in place.bases.items()}
        self._say = DIALECTS[place.version]

    @property
    def folders(self) -> set[Path]:
        """Every folder of the group."""
        return set(self._folders.values())

    def make(self, bounds: Bounds) -> None:
        """Make it and set its limits. ``OSError`` if a needed one is refused; then nothing is left of it."""
        try:
            for folder in self.folders:
                self._files.make(folder)
            for controller, file, text, needed in settings(self.version, bounds):
                if (place := self._folders.get(controller)) is None:
                    continue
                with contextlib.nullcontext() if needed else contextlib.suppress(OSError):
                    self._files.write(place / file, text)
        except OSError:
            self.remove()
            raise

    def open(self) -> list[int]:
        """Return descriptors into which a process writes ``0`` to join; whoever called this closes them."""
        opened: list[int] = []
        try:
            # extend, not a list at once: what was opened before a refusal is closed below.
            opened.extend(self._files.open(folder / "cgroup.procs") for folder in sorted(self.folders))
        except OSError:
            for descriptor in opened:
                os.close(descriptor)
            raise
        return opened

    def add(self, pid: int) -> None:
        """Move process ``pid`` in, with all its threads. ``OSError`` if it is gone or may not be moved."""
        for folder in sorted(self.folders):
            self._files.write(folder / "cgroup.procs", str(pid))

    # ---- readings -------------------------------------------------------------------------------
    @property
    def oom_kills(self) -> int:
        """How many of its processes the kernel killed because the group was at its limit."""
        return self._number(self._say.oom_kills) or 0

    @property
    def memory(self) -> int | None:
        """Bytes charged to it now, page cache and socket buffers included."""
        return self._number(self._say.current)

    @property
    def peak(self) -> int | None:
        """Most bytes that were ever charged to it; None where the kernel does not say."""
        return self._number(self._say.peak)

    @property
    def cpu_time(self) -> float | None:
        """Seconds of processor time of everything that ever was in it."""
        found = self._number(self._say.cpu_time)
        return None if found is None else found * self._say.cpu_unit

    @property
    def throttled(self) -> float:
        """Seconds that it was ready to run and kept from it by its share, summed over processors."""
        return (self._number(self._say.throttled) or 0) * self._say.cpu_unit

    @property
    def pids(self) -> list[int]:
        """Processes in it, as this process numbers them."""
        with contextlib.suppress(OSError):
            return [int(pid) for pid in self._files.read(min(self.folders) / "cgroup.procs").split()]
        return []

    @property
    def pressure(self) -> Pressures:
        """How long its processes were kept waiting, by resource; nothing of version 1, which has no PSI."""
        return of_group(min(self.folders), self._files) if self.version == 2 else {}

    def _number(self, where: tuple[str, str, str]) -> int | None:
        controller, file, key = where
        try:
            text = self._files.read(self._folders[controller] / file)
        except (KeyError, OSError):
            return None
        if not key:
            return int(text)
        found = dict(line.split(" ", 1) for line in text.splitlines() if " " in line)
        return int(found[key]) if key in found else None

    # ---- its end --------------------------------------------------------------------------------
    def freeze(self) -> bool:
        """Stop everything in it, without a signal; False where the host cannot."""
        return self._switch("cgroup.freeze", "1", "FROZEN")

    def thaw(self) -> bool:
        """Let it go on."""
        return self._switch("cgroup.freeze", "0", "THAWED")

    def _switch(self, v2_file: str, v2_text: str, v1_state: str) -> bool:
        v1 = self.version == 1
        folder = self._folders.get("freezer" if v1 else "cgroup")
        if folder is None:
            return False
        try:
            self._files.write(folder / ("freezer.state" if v1 else v2_file), v1_state if v1 else v2_text)
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill everything in it, forks that happen meanwhile included; may be repeated until it is empty."""
        if self.version == 2:
            with contextlib.suppress(OSError):  # Linux 5.14; before that one by one, as below
                self._files.write(min(self.folders) / "cgroup.kill", "1")
                return
        frozen = self.freeze()
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if frozen:
            self.thaw()

    def remove(self) -> bool:
        """Remove its folders; False while a process in it is still dying (EBUSY): try again later."""
        gone = True
        for folder in self.folders:
            try:
                self._files.remove(folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno != errno.EBUSY:
                    raise
                gone = False
        return gone


TRIES, PAUSE = 20, 0.005
"""How often, and seconds after which, a daemon tries again to lock a folder that another one is clearing."""


class Tree:
    """Every group of one daemon. ``place`` says where, ``controllers`` what holds there."""

    def __init__(self, place: Place, files: Files) -> None:
        self.version = place.version
        self.place = place
        self._files = files
        self._dying: list[Group] = []
        self._locks: list[int] = []

    @property
    def label(self) -> str:
        """How the enforcer is called: ``cgroup v2`` or ``cgroup v1``."""
        return f"cgroup v{self.version}"

    def holds(self, controller: str) -> bool:
        """Whether ``memory``, ``cpu`` or ``pids`` is held here."""
        return controller in self.place.bases

    def group(self, deployment_id: str, generation: int) -> Group:
        """Return the group of one instance, not made yet: its name tells whose it is."""
        return Group(f"{deployment_id}.{generation}", self.place, self._files)

    def discard(self, group: Group) -> None:
        """Remove a group, now or as soon as nothing is in it."""
        if not group.remove():
            self._dying.append(group)

    def tidy(self) -> int:
        """Try again to remove what could not be; returns how many groups are still dying."""
        for group in (waiting := self._dying):
            group.kill()
        self._dying = [group for group in waiting if not group.remove()]
        return len(self._dying)

    def claim(self) -> list[str]:
        """Lock the daemon's own folders, and clear what daemons that died left; returns what there was.

        Whoever lives holds the lock of its folders, so a folder like ours that can be locked is nobody's.
        """
        left = self._clear(self.place)
        for base in sorted(set(self.place.bases.values())):
            self._hold(base)
            for name in self._files.folders(base.parent):
                other = base.parent / name
                if name.startswith(PREFIX) and other != base and (lock := self._lock(other)) is not None:
                    left += self._clear(self.place._replace(bases={base.name: other}))
                    with contextlib.suppress(OSError):
                        self._files.remove(other)
                    os.close(lock)
        return sorted(set(left))

    def _hold(self, base: Path) -> None:
        """Make a folder of ours and lock it; another daemon that starts may take it for a dead one's.

        One that is locked again and again is used as it is: then somebody else looks after it.
        """
        for _ in range(TRIES):
            self._files.make(base)
            if (lock := self._lock(base)) is not None:
                self._locks.append(lock)
                return
            time.sleep(PAUSE)

    def _lock(self, folder: Path) -> int | None:
        try:
            return self._files.lock(folder)
        except OSError:  # it went meanwhile, or is not ours to open
            return None

    def _clear(self, place: Place) -> list[str]:
        names = sorted({name for base in place.bases.values() for name in self._files.folders(base)})
        for name in names:
            group = Group(name, place, self._files)
            group.kill()
            self.discard(group)
        return names

    def close(self) -> None:
        """Remove the daemon's own folder, if nothing is in it any more."""
        self.tidy()
        for base in set(self.place.bases.values()):
            with contextlib.suppress(OSError):
                self._files.remove(base)
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()


class Discovery(NamedTuple):
    """The tree, None where no group can be had, and a phrase that says which, or why not."""

    tree: Tree | None
    detail: str


def discover(key: str, files: Files | None = None) -> Discovery:
    """Find out, by doing, what groups this daemon can have; ``key`` names its own, the same after a restart.

    The better of what was found: the more controllers, then version 2. A daemon to which a subtree of
    version 2 is delegated is moved into a leaf of it ("no internal processes", cgroups(7)). Never raises.
    """
    files = files or Files()
    tried: list[str] = []
    best: Tree | None = None
    for place in places(key, files):
        if place.refusal:
            tried.append(f"version {place.version}: {place.refusal}")
            continue
        held, refusals = _try(place, files)
        tried += [f"version {place.version}: {refusal}" for refusal in refusals]
        if held and (best is None or len(held) > len(_bounding(best.place))):
            bases = {
                name: base for name, base in place.bases.items() if name in held or name not in CONTROLLERS
            }
            best = Tree(place._replace(bases=bases), files)
    if best is None:
        return Discovery(None, "; ".join(tried) or "not mounted")
    return Discovery(best, f"version {best.version} ({', '.join(_bounding(best.place))})")


def _bounding(place: Place) -> list[str]:
    return [name for name in CONTROLLERS if name in place.bases]


def _try(place: Place, files: Files) -> tuple[list[str], list[str]]:
    """Return which controllers hold at a place, and what was refused."""
    try:
        place.enter(files)
    except OSError as error:
        return [], [f"{error.filename}: {error.strerror}"]
    held, refused = [], []
    for controller in _bounding(place):
        others = {name: base for name, base in place.bases.items() if name not in CONTROLLERS}
        only = place._replace(bases={controller: place.bases[controller], **others})
        group = Group(f"probe.{os.getpid()}", only, files)
        try:
            group.make(Bounds(2**26, 0.5, 16))
            for descriptor in group.open():
                os.close(descriptor)
            held.append(controller)
        except OSError as error:
            refused.append(f"{controller}: {error.filename}: {error.strerror}")
        with contextlib.suppress(OSError):
            group.remove()
    return held, refused
