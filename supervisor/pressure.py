"""How long cells and the host wait for processor, memory and disk (PSI), looked at every few seconds.

Rules of this file. Files are read on a thread, all of them at once; what is asked for in between is what was
read last. The kernel counts from 0 with each group, so a deployment's seconds are summed over its instances;
the last of one are read when it ends, when its group still is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeAlias

from sandbox.confine.cgroup import Group
from sandbox.confine.cgroup_files import Files
from sandbox.confine.pressure import Pressures, Stall, of_host
from supervisor.schema.pressure import PressureView, StallView
from supervisor.throttle import Instance

PERIOD = 5
"""Looks of the daemon, one a second, of which one is taken: the kernel itself counts every 2 s, and 100 cells
are 300 files, 2 to 3 ms of a thread."""
Waits: TypeAlias = dict[tuple[str, str], float]
"""Seconds by (resource, ``some`` or ``full``)."""


class PressureGauge:
    """Of every living instance that has a group, and of the host. ``groups`` are those that live."""

    def __init__(self, groups: Callable[[], Mapping[Instance, Group]], files: Files | None = None) -> None:
        self._groups = groups
        self._files = files or Files()
        self._looks = 0
        self._now: dict[Instance, Pressures] = {}
        self._ended: dict[str, Waits] = {}
        self.host: Pressures = {}

    def due(self) -> bool:
        """Whether it is time to look again; to be asked once a second. The first time it is."""
        self._looks += 1
        return self._looks % PERIOD == 1

    async def look(self) -> None:
        """Read everything once."""
        groups = dict(self._groups())

        def read() -> tuple[Pressures, dict[Instance, Pressures]]:
            return of_host(self._files), {instance: group.pressure for instance, group in groups.items()}

        self.host, found = await asyncio.to_thread(read)
        living = self._groups()
        # One that ended meanwhile is counted already.
        self._now = {instance: told for instance, told in found.items() if instance in living}

    def ended(self, instance: Instance, last: Pressures) -> None:
        """Keep what an instance waited over its life; its group is about to go."""
        name = instance[0]
        told = last or self._now.get(instance, {})
        self._now.pop(instance, None)
        self._ended[name] = _sum((self._ended.get(name, {}), waits(told)))

    def of(self, instance: Instance | None) -> Pressures:
        """Return what was read last of a living instance, {} if nothing was or could be."""
        return self._now.get(instance, {}) if instance else {}

    def totals(self, names: Iterable[str]) -> dict[str, Waits]:
        """Return the seconds that each deployment waited since the daemon began; forget all others."""
        known = frozenset(names)
        for name in self._ended.keys() - known:
            del self._ended[name]
        sums = {name: [told] for name, told in self._ended.items()}
        for (name, _), told in self._now.items():
            if name in known:
                sums.setdefault(name, []).append(waits(told))
        return {name: _sum(parts) for name, parts in sums.items()}


def waits(told: Pressures) -> Waits:
    """Return the seconds of one reading. Pure."""
    return {(resource, kind): stall.total for resource, kind, stall in _stalls(told)}


def view(told: Pressures) -> PressureView | None:
    """Return a reading as it is shown, None if there is none. Pure."""
    if not told:
        return None
    shares = {(resource, kind): round(stall.share * 100, 2) for resource, kind, stall in _stalls(told)}
    views = {
        resource: StallView(
            some_percent=shares[resource, "some"], full_percent=shares.get((resource, "full"))
        )
        for resource in told
    }
    return PressureView(cpu=views.get("cpu"), memory=views.get("memory"), io=views.get("io"))


def _stalls(told: Pressures) -> Iterator[tuple[str, str, Stall]]:
    for resource, pressure in told.items():
        yield resource, "some", pressure.some
        if pressure.full is not None:
            yield resource, "full", pressure.full


def _sum(parts: Iterable[Waits]) -> Waits:
    found: Waits = {}
    for part in parts:
        for key, seconds in part.items():
            found[key] = found.get(key, 0.0) + seconds
    return found
