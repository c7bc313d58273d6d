"""Holds processes to their share of a core with SIGSTOP and SIGCONT, on a thread of its own.

Rules of this file. ``supervisor.duty`` decides, this looks and acts: psutil stops and continues a process,
keeps one with many threads on as few cores as its quota needs, and never touches another that got its pid.
What a process used is read from its processor clock (clock_getcpuclockid(3)): nanoseconds, and half a
microsecond a reading, where psutil reads clock ticks of 10 ms, as long as a whole slice. Whoever is let go of
runs: ``release`` and ``close`` leave nothing stopped. When the daemon is killed there is nobody to continue
what it stopped: every strategy dies with its warden then, and SIGKILL does not wait for SIGCONT (signal(7)).

A stopped strategy is not a hung one: how long it was held is told by ``held``.
"""

from __future__ import annotations

import contextlib
import heapq
import math
import os
import threading
import time
from collections.abc import Callable

import psutil

from supervisor.duty import Duty, begin, step

Instance = tuple[str, int]
"""Deployment id and generation."""


def process_time(pid: int) -> float:
    """Return the processor seconds of a whole process, user and system, threads that ended included.

    ``OSError`` once it is gone. The number of its clock is MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of
    include/linux/posix-timers_types.h, what clock_getcpuclockid(3) returns; part of the ABI since 2.6.12.
    """
    return time.clock_gettime((~pid << 3) | 2)


class _Held:
    """One process under the throttle."""

    def __init__(self, process: psutil.Process, duty: Duty) -> None:
        self.process = process
        self.duty = duty
        self.before: list[int] = []
        """Cores that it could use before it was kept to ``cores``; both are [] while it is not."""
        self.cores: list[int] = []


class Throttle:
    """Any number of processes, each with its quota. ``start`` begins, ``close`` lets everything go.

    ``on_refused(instance, reason)`` is called on the thread when the kernel does not let us: then nothing
    holds that process.
    """

    def __init__(self, on_refused: Callable[[Instance, str], None]) -> None:
        self._on_refused = on_refused
        self._cores = sorted(os.sched_getaffinity(0))
        self._held: dict[Instance, _Held] = {}
        self._due: list[tuple[float, Instance]] = []
        self._lock = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="throttle", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def close(self) -> None:
        """Let everything run, and end."""
        with self._lock:
            self._closed = True
            self._lock.notify()
        if self._thread.is_alive():
            self._thread.join()
        for instance in list(self._held):
            self.release(instance)

    def add(self, instance: Instance, pid: int, quota: float) -> bool:
        """Hold a process to ``quota`` of a core; False if it is gone, or may use the whole host."""
        if quota >= len(self._cores):
            return False
        try:
            held = _Held(psutil.Process(pid), begin(quota, time.monotonic(), process_time(pid)))
        except (psutil.Error, OSError):
            return False
        with self._lock:
            self._held[instance] = held
            heapq.heappush(self._due, (held.duty.at, instance))
            self._lock.notify()
        return True

    def release(self, instance: Instance) -> None:
        """Let a process run and hold it to nothing any more; one that is not held is no error."""
        with self._lock:
            held = self._held.pop(instance, None)
            if held is None:
                return
            try:
                if held.duty.stopped:
                    held.process.resume()
                if held.cores:
                    _move(held.process, held.before)
            except (psutil.Error, OSError):
                return  # it is gone, and so is whatever held it

    def held(self, instance: Instance) -> float | None:
        """Seconds for which a process was stopped so far, None if it is not under the throttle."""
        with self._lock:
            found = self._held.get(instance)
            return None if found is None else found.duty.held

    def __contains__(self, instance: Instance) -> bool:
        return instance in self._held

    # ---- the thread -----------------------------------------------------------------------------
    def _run(self) -> None:
        with self._lock:
            while not self._closed:
                now = time.monotonic()
                while self._due and self._due[0][0] <= now:
                    self._look(heapq.heappop(self._due)[1])
                self._lock.wait(max(0.0, self._due[0][0] - time.monotonic()) if self._due else None)

    def _look(self, instance: Instance) -> None:
        held = self._held.get(instance)
        if held is None:
            return
        before = held.duty
        try:
            held.duty, until = step(before, time.monotonic(), process_time(held.process.pid))
            if held.duty.stopped is not before.stopped:
                self._act(held)
        except (psutil.NoSuchProcess, ProcessLookupError, OSError):
            del self._held[instance]  # its pidfd tells everybody else
        except psutil.AccessDenied as error:
            del self._held[instance]
            self._on_refused(instance, f"process {error.pid} may not be stopped by this user")
        else:
            heapq.heappush(self._due, (until, instance))

    def _act(self, held: _Held) -> None:
        if held.duty.stopped:
            if not held.cores and held.process.num_threads() > math.ceil(held.duty.quota):
                self._gather(held)
            held.process.suspend()
        else:
            held.process.resume()

    def _gather(self, held: _Held) -> None:
        """Keep it to as many cores as its quota needs: threads on all of them would use it up in no time."""
        taken = [core for other in self._held.values() for core in other.cores]
        needed = math.ceil(held.duty.quota)
        held.before = list(held.process.cpu_affinity())
        held.cores = sorted(held.before, key=taken.count)[:needed]
        _move(held.process, held.cores)


def _move(process: psutil.Process, cores: list[int]) -> None:
    """Keep every thread of a process to ``cores`` (sched_setaffinity(2) is for one thread)."""
    for thread in process.threads():
        # A thread may end meanwhile, or an administrator have taken the cores away: the share holds anyway.
        with contextlib.suppress(psutil.Error, OSError):
            psutil.Process(thread.id).cpu_affinity(cores)
