"""Reading memory and CPU of every cell, over psutil Process objects that are kept.

Rules of this file. Most passes look at the memory of the strategies and nothing else, because memory is what
can be gone in a quarter of a second; every fourth reads processor time too (``supervisor.pulse``). psutil is
the reader of record: of memory it reads each process in one of four full passes. In all others a descriptor
of /proc/PID/statm that is kept open, at an eighth of the cost, says whether that of a strategy grew; if it
did, psutil reads it. Our own halves of the cells, the wardens, are read in their turn alone. What is not read
in a pass is as it was read last. That is what keeps 100 cells well below a hundredth of a core
(benchmarks/quotas.py).
A ``psutil.Process`` is kept from a process's birth to its end, so readings of one
process compare with each other. Never ``children(recursive=True)``: it walks all of /proc for each cell.
Where nothing keeps a strategy from forking (``forks``), what it forked is found in a full pass and counted
with it, from /proc/PID/task/TID/children (proc(5)): a file a thread, and only there.
A pid alone names nobody: field 22 of /proc/PID/stat, compared once when the process is added, ties it to
the instance that reported it (psutil's ``create_time`` follows the wall clock: psutil issue 2031). After
that the caller holds a pidfd and removes the process when it ends, so the pid cannot be another's.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
from msgspec import Struct

from supervisor.quota import Sample

CPU_READINGS = 11
"""Readings of a daemon's own process that its CPU share spans: at one a second, ten seconds."""
GROWN = 2**20
"""Bytes more than at psutil's last reading at which it reads again: what is less can wait for its turn."""
TURNS = 4
"""Full passes in which psutil reads the memory of each process once, and all that is read of a warden."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def start_ticks(pid: int) -> int | None:
    """When a process began: field 22 of /proc/PID/stat in clock ticks since boot; None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name stands in brackets and may hold anything, brackets and blanks included (proc(5)).
    return int(text[text.rindex(")") + 2 :].split()[19])


def children(pid: int) -> list[int]:
    """Return the pids of a process's children, [] if it is gone (proc(5))."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found


class ProcessUse(Struct, frozen=True):
    """One of the daemon's own processes: ``rss`` bytes, ``uptime`` seconds.

    ``cpu_share`` (1.0 is one core) over the last ten seconds, None until there were two readings.
    """

    pid: int
    rss: int
    uptime: float
    cpu_share: float | None
    cpu_time: float = 0.0
    """Processor seconds since it began."""


class _Own:
    """One of the daemon's own processes, and its last readings: (monotonic seconds, CPU seconds)."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self._ticks = start_ticks(pid) or 0
        self._readings: deque[tuple[float, float]] = deque(maxlen=CPU_READINGS)

    def read(self, at: float) -> ProcessUse:
        """Take one reading."""
        with self.process.oneshot():
            times = self.process.cpu_times()
            rss = self.process.memory_info().rss
        self._readings.append((at, times.user + times.system))
        (first, used_then), (last, used_now) = self._readings[0], self._readings[-1]
        # Like its start, field 22, counted from boot, suspends included (proc(5)): no wall clock in it.
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME) - self._ticks / _TICKS_PER_SECOND
        share = (used_now - used_then) / (last - first) if last > first else None
        return ProcessUse(self.process.pid, rss, max(0.0, uptime), share, used_now)


class _Watched:
    """One process, the bytes that it was born with, and what was read of it last.

    ``ours``: a warden. ``child``: a strategy forked it, and its end is not the end of the instance.
    """

    def __init__(
        self, process: psutil.Process, inherited: int, *, ours: bool = False, child: bool = False
    ) -> None:
        self.process = process
        self.child = child
        self.ours = ours
        self.inherited = inherited
        self.rss = 0
        self.cpu = 0.0
        self._resident = 0
        self._statm = None if ours else os.open(f"/proc/{process.pid}/statm", os.O_RDONLY)

    def read(self, number: int) -> None:
        """Take what a full pass takes of it, that of this number."""
        its_turn = number % TURNS == self.process.pid % TURNS
        if its_turn:
            self.read_memory()
        else:
            self.look_at_memory()
        if its_turn or not self.ours:
            self.read_cpu()

    def read_memory(self) -> None:
        """Read what is resident of its own."""
        self._resident = int(self.process.memory_info().rss)
        self.rss = max(0, self._resident - self.inherited)

    def look_at_memory(self) -> None:
        """Read it if it grew; a warden's not.

        The descriptor is of this process, and of no other that gets its pid.
        """
        if self._statm is None:
            return
        try:
            # "size resident ...", in pages (proc_pid_statm(5)): where psutil has it from, too.
            resident = int(os.pread(self._statm, 128, 0).split(None, 2)[1]) * _PAGE
        except ProcessLookupError:
            raise psutil.NoSuchProcess(self.process.pid) from None
        if resident > self._resident + GROWN:
            self.read_memory()
        else:
            self.rss = max(0, resident - self.inherited)

    def close(self) -> None:
        """Close its descriptor."""
        if self._statm is not None:
            os.close(self._statm)
            self._statm = None

    def read_cpu(self) -> None:
        """Read its processor time. Not in ``oneshot``: the two readings have no file in common."""
        times = self.process.cpu_times()
        self.cpu = times.user + times.system


class Sampler:
    """Knows which processes belong to which instance, and reads them all in one pass.

    A forked process starts with the zygote's pages, which are shared and cost it nothing, yet count in its
    RSS. What it was born with is therefore taken off: its first reading, at most the zygote's own RSS, so
    that nothing allocated before the first reading hides. USS would say it exactly and costs 70 times more.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._watched: dict[tuple[str, int], list[_Watched]] = {}
        self._removed: deque[_Watched] = deque()
        self._spent: dict[tuple[str, int], float] = {}
        """Of instances that may fork, the processor seconds of what they forked and is gone."""
        self._inheritable = 0
        self._pass = 0
        self._own: dict[str, _Own] = {}
        self.own: Mapping[str, ProcessUse] = {}
        """The daemon's own processes by name, as the last sweep found them."""

    def descend_from(self, zygote: int | None) -> None:
        """Name the process whose pages all later ones inherit."""
        self._inheritable = self.rss(zygote) or 0

    @staticmethod
    def rss(pid: int | None) -> int | None:
        """Return the resident bytes of one process now, None if there is none."""
        try:
            return None if pid is None else int(psutil.Process(pid).memory_info().rss)
        except psutil.Error:
            return None

    def follow(self, pids: Mapping[str, int | None]) -> None:
        """Read the daemon's own processes too, by name; None where there is none at the moment."""
        for name, pid in pids.items():
            known = self._own.get(name)
            if known is not None and known.process.pid == pid:
                continue
            self._own.pop(name, None)
            with contextlib.suppress(psutil.Error):  # it ended just now: the next one is followed
                if pid is not None:
                    self._own[name] = _Own(pid)

    def add(
        self,
        instance: tuple[str, int],
        pid: int,
        ticks: int | None = None,
        *,
        ours: bool = False,
        forks: bool = False,
    ) -> bool:
        """Watch ``pid`` as a part of ``instance``, (deployment id, generation).

        ``ours`` is a process of ours, a warden: it is read in its turn only. ``ticks`` is its
        ``start_ticks``, if known: where it does not match, the pid is somebody else's by now and is left
        alone. With ``forks`` what it forks is counted with it. Returns whether it is watched; that it is gone
        already its pidfd will tell.
        """
        if ticks is not None and start_ticks(pid) != ticks:
            return False
        try:
            process = psutil.Process(pid)
            rss = process.memory_info().rss
            watched = _Watched(process, min(rss, self._inheritable), ours=ours)
        except (psutil.Error, OSError):
            return False
        try:
            watched.read_memory()
            watched.read_cpu()
        except psutil.Error:
            watched.close()
            return False
        self._watched.setdefault(instance, []).append(watched)
        if forks:
            self._spent[instance] = 0.0
        return True

    def remove(self, instance: tuple[str, int]) -> None:
        """Forget an instance; one that is not known is no error, for it may have died before it was added."""
        # Closed by the next pass: one that runs now, on its thread, may still read from the descriptors.
        self._removed.extend(self._watched.pop(instance, ()))
        self._spent.pop(instance, None)

    def close(self) -> None:
        """Forget everything. No pass may run any more."""
        for instance in list(self._watched):
            self.remove(instance)
        self._close_removed()

    def _close_removed(self) -> None:
        while self._removed:
            self._removed.popleft().close()

    def sweep(self, *, cpu: bool = True) -> dict[tuple[str, int], Sample]:
        """Read every instance once. One of which a process cannot be read is left out: half is no sample.

        Without ``cpu`` only the memory of the strategies is looked at, and samples have no processor time.
        With it what ``follow`` named is read as well, into ``own``.
        """
        self._close_removed()
        if cpu:
            self._pass += 1
            self._read_own()
        samples = {}
        # Copies, for this runs on a thread of its own while instances come and go; a copy is made at once.
        for instance, watched in list(self._watched.items()):
            try:
                if instance in self._spent:
                    self._follow_family(instance, watched, cpu=cpu)
                samples[instance] = self._read(tuple(watched), self._spent.get(instance, 0.0), cpu=cpu)
            except psutil.Error:
                continue
        return samples

    def _read_own(self) -> None:
        found, at = {}, self._clock()
        for name, process in list(self._own.items()):
            with contextlib.suppress(psutil.Error):
                found[name] = process.read(at)
        self.own = found

    def _follow_family(self, instance: tuple[str, int], family: list[_Watched], *, cpu: bool) -> None:
        """Take in what was forked since the last full pass, and let go of what has ended."""
        for one in [one for one in family if one.child and not one.process.is_running()]:
            family.remove(one)
            one.close()
            if instance in self._spent:
                self._spent[instance] += one.cpu
        if not cpu:
            return
        sizes = {one.process.pid: one.rss + one.inherited for one in family}
        todo = [one.process.pid for one in family if not one.ours]
        while todo:
            parent = todo.pop()
            for pid in children(parent):
                if pid in sizes:
                    continue
                with contextlib.suppress(psutil.Error, OSError):  # it ended just now
                    process = psutil.Process(pid)
                    # The pages that it shares with its parent are counted there, as the zygote's are nowhere.
                    born_with = min(process.memory_info().rss, sizes[parent])
                    family.append(_Watched(process, born_with, child=True))
                    sizes[pid] = born_with
                    todo.append(pid)
        if self._watched.get(instance) is not family:  # it was removed meanwhile
            self._removed.extend(family)

    def _read(self, watched: tuple[_Watched, ...], spent: float, *, cpu: bool) -> Sample:
        for one in watched:
            if cpu:
                one.read(self._pass)
            else:
                one.look_at_memory()
        used = spent + sum(one.cpu for one in watched) if cpu else None
        return Sample(self._clock(), used, sum(one.rss for one in watched))
