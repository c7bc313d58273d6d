"""What holds each instance to its memory and its share of the processor on this host, by name.

Rules of this file. The kernel where it can: a control group a strategy (``sandbox.confine.cgroup``), found by
doing when the daemon starts. Else the limits that its warden sets (RLIMIT_DATA) for memory, and
``supervisor.throttle`` for the processor. The sampler with LEAN's rule stands above both. A host that cannot
hold something never stops a start for that: the next best holds it, and ``ps`` and ``describe`` name it.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from msgspec.structs import replace

from sandbox.confine.cgroup import Discovery, Group, Tree, discover
from sandbox.confine.cgroup_dialect import Bounds
from sandbox.confine.probe import Finding
from sandbox.confine.visible import look
from sandbox.spec import CellSpec, Died, Limits
from supervisor.pressure import PressureGauge
from supervisor.quota import CpuPolicy, mib
from supervisor.throttle import Instance, Throttle

PSUTIL_MEMORY = "rlimit+psutil"
PSUTIL_CPU = "psutil"
RLIMIT, NOBODY = "rlimit", "none"
"""Who holds memory and processor where there is no group and psutil sees no strategy (``visible``)."""
DYING = 1.0
"""Seconds that what is in the last groups gets to be gone when the daemon ends."""


class Held(NamedTuple):
    """Who holds an instance to its quotas: ``cgroup v2``, ``cgroup v1``, ``rlimit+psutil``, ``psutil``.

    ``rlimit`` and ``none`` where psutil does not see it.
    """

    memory: str
    cpu: str


WORTH_ASKING = 0.05
"""Seconds of CPU that an instance must have used before it is looked at whether it was held."""


class _Grouped(NamedTuple):
    group: Group
    limits: Limits


class Enforcers:
    """Every instance's group and throttle. ``start`` finds out what there is, ``stop`` leaves nothing behind.

    ``key`` names this daemon among those of the host, the same after a restart; ``groups`` "off" makes no
    control groups; ``note(kind, detail, deployment_id, generation)`` takes events.
    """

    def __init__(
        self,
        *,
        key: str,
        groups: Literal["auto", "off"],
        cpu_policy: CpuPolicy,
        note: Callable[[str, str, str, int], object],
        find: Callable[[str], Discovery] = discover,
        visible: Callable[[], Finding] = look,
    ) -> None:
        self._key = key
        self._wanted = groups
        self._policy = cpu_policy
        self._note = note
        self._find = find
        self._visible = visible
        self._unseen: set[Instance] = set()
        self.sees = True
        """Whether psutil sees the strategies of this host."""
        self._tree: Tree | None = None
        self._groups: dict[Instance, _Grouped] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._throttle = Throttle(self._refused)
        self._told: dict[Instance, tuple[float, float]] = {}
        """What was told of each: (CPU seconds used by then, seconds kept from the processor by then)."""
        self.pressure = PressureGauge(
            lambda: {instance: grouped.group for instance, grouped in self._groups.items()}
        )
        self.detail = "not asked for"
        """What control groups there are, or why there are none."""

    def start(self) -> None:
        """Find out what this host gives, and remove what a daemon that died here left. On the loop."""
        self._loop = asyncio.get_running_loop()
        self.sees, seen = self._visible()
        if not self.sees:
            self._note("quotas", seen, "", 0)
        if self._wanted == "auto":
            self._tree, self.detail = self._find(self._key)
        if self._tree is not None:
            for name in self._tree.claim():
                self._note("group_left", f"{name}: killed what a daemon that died left in it", "", 0)
        self._throttle.start()

    async def stop(self) -> None:
        """Let every process run that still does, kill what is left in groups, and remove those."""
        self._throttle.close()
        if (tree := self._tree) is None:
            return
        for grouped in self._groups.values():
            grouped.group.kill()
            tree.discard(grouped.group)
        self._groups.clear()
        deadline = asyncio.get_running_loop().time() + DYING
        while tree.tidy() and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)
        tree.close()

    def tidy(self) -> None:
        """Remove the groups of the dead whose last process was still dying. Once a second."""
        if self._tree is not None:
            self._tree.tidy()

    # ---- one instance ---------------------------------------------------------------------------
    @contextmanager
    def joining(self, granted: CellSpec) -> Iterator[list[int]]:
        """Make the group of a cell that is about to be born; yields the descriptors by which it joins."""
        opened = self._open(granted)
        try:
            yield opened
        except BaseException:  # it was not asked for, so nobody will tell of its end
            self._forget((granted.deployment_id, granted.generation))
            raise
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _open(self, granted: CellSpec) -> list[int]:
        tree, limits = self._tree, granted.limits
        if tree is None:
            return []
        instance = (granted.deployment_id, granted.generation)
        group = tree.group(*instance)
        try:
            group.make(Bounds(limits.memory, limits.cpu if self._holds_cpu else None, limits.processes))
            opened = group.open()
        except OSError as error:
            reason = f"no control group ({error.filename}: {error.strerror}): {PSUTIL_MEMORY} holds it"
            self._note("limit", reason, *instance)
            tree.discard(group)
            return []
        self._groups[instance] = _Grouped(group, limits)
        return opened

    @property
    def grouped(self) -> bool:
        """Whether control groups hold memory; ``detail`` says what they hold, or why there are none."""
        return self._tree is not None and self._tree.holds("memory")

    @property
    def _holds_cpu(self) -> bool:
        return self._policy == "throttle" and self._tree is not None and self._tree.holds("cpu")

    def born(self, instance: Instance, pid: int, cpu: float, *, seen: bool = True) -> None:
        """Hold a strategy process that was just born to its share, where no group does.

        ``seen`` is whether the sampler took it in: what it cannot see is never said to be held by it.
        """
        if not self.sees:  # at its birth it still may be
            return
        if not seen and _exists(pid):
            self._unseen.add(instance)
            held = self.held_by(instance)
            detail = f"its process is hidden in /proc: memory held by {held.memory}, processor by {held.cpu}"
            self._note("limit", detail, *instance)
        elif self._policy == "throttle" and not (self._holds_cpu and instance in self._groups):
            self._throttle.add(instance, pid, cpu)

    def release(self, instance: Instance) -> None:
        """Let one run that is to end: its goodbye has a deadline, and a stopped one hears no signal.

        Nor does a frozen one: of version 1 (the freezer) not even SIGKILL. We freeze nobody; others may have.
        """
        self._throttle.release(instance)
        if (grouped := self._groups.get(instance)) is not None:
            grouped.group.thaw()

    def empty(self, instance: Instance) -> bool:
        """Whether nothing is left in the group of an instance whose cell is gone; what is, is killed."""
        grouped = self._groups.get(instance)
        if grouped is None or not grouped.group.pids:
            return True
        grouped.group.kill()
        return False

    def gone(self, instance: Instance, died: Died) -> Died:
        """Let go of an instance that has ended; returns its death, with the kernel's kill as the cause."""
        self._throttle.release(instance)
        self._told.pop(instance, None)
        self._unseen.discard(instance)
        grouped = self._groups.get(instance)
        if grouped is None or self._tree is None:
            return died
        killed = grouped.group.oom_kills
        self.pressure.ended(instance, grouped.group.pressure)
        self._forget(instance)
        if not killed or died.signal != signal.SIGKILL or died.cause not in ("signal", "unknown"):
            return died
        over = f"over the quota of {mib(grouped.limits.memory)}"
        return replace(
            died, cause="oom", detail=f"killed by the kernel ({self._tree.label}), {over}; {died.detail}"
        )

    def _forget(self, instance: Instance) -> None:
        grouped = self._groups.pop(instance, None)
        if grouped is not None and self._tree is not None:
            self._tree.discard(grouped.group)

    def held_by(self, instance: Instance | None) -> Held:
        """Return who holds an instance; None: one that would be started now."""
        label = self._tree.label if self._tree is not None else ""
        grouped = bool(label) and (instance is None or instance in self._groups)
        memory = grouped and self._tree is not None and self._tree.holds("memory")
        sees = self.sees and instance not in self._unseen
        without = Held(PSUTIL_MEMORY, PSUTIL_CPU) if sees else Held(RLIMIT, NOBODY)
        return Held(
            label if memory else without.memory,
            label if grouped and self._holds_cpu else without.cpu,
        )

    def kept(self, instance: Instance) -> float:
        """Seconds for which a living instance was kept from the processor by its share, so far.

        What a watchdog would have to forgive. Of several threads the kernel tells the sum.
        """
        if (held := self._throttle.held(instance)) is not None:
            return held
        grouped = self._groups.get(instance)
        return grouped.group.throttled if grouped is not None else 0.0

    def newly_kept(self, instance: Instance, cpu_time: float) -> float:
        """Return the seconds for which an instance was kept from the processor since it was last asked.

        ``cpu_time`` is what it has used by now: of one that used next to nothing since, nothing is read.
        """
        used, told = self._told.get(instance, (0.0, 0.0))
        if cpu_time - used < WORTH_ASKING:
            return 0.0
        kept = self.kept(instance)
        self._told[instance] = (cpu_time, kept)
        return kept - told

    def _refused(self, instance: Instance, reason: str) -> None:
        # Said on the thread of the throttle; events belong to the loop.
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._note, "limit", reason, *instance)


def _exists(pid: int) -> bool:
    """Whether there is such a process, shown in /proc or not (kill(2), signal 0)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
