"""Who runs at a quiet moment, by /proc and by the daemon's own word, and what each process of it holds."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from supervisor.client.calls import daemon
from tests.chaos.processes import Process
from tests.chaos.world import World

MIB = 2**20
MORE_DESCRIPTORS = 4
"""How many more than after an undisturbed run are no leak: a connection that is being made."""
MORE_MEMORY = 24 * MIB
"""How much more than after an undisturbed run is no leak: allocators keep what they once needed."""


class Held(NamedTuple):
    """What one process of the daemon holds."""

    descriptors: int
    memory: int


class Census(NamedTuple):
    """A quiet moment: processes by name, rows of ``ps``, pids that ``status`` names, what is held."""

    processes: list[Process]
    rows: dict[str, dict[str, Any]]
    named: dict[str, int]
    held: dict[str, Held]

    def findings(self, wanted: set[str]) -> list[str]:
        """Return where the world is not as it is wanted, or not as the daemon says."""
        told = [
            f"{name} is {row['state']}, and {row['desired']} is wanted"
            for name, row in sorted(self.rows.items())
            if row["state"] != row["desired"]
        ]
        told += [f"{name} is gone" for name in sorted(wanted - self.rows.keys())]
        told += [f"nobody knows {name}" for name in sorted(self.rows.keys() - wanted)]
        count = Counter(one.name for one in self.processes)
        expected = {"engine": 1, "zygote": 1, "warden": len(wanted), "strategy": len(wanted)}
        told += [
            f"there are {count[name]} processes {name}, and {number} should be"
            for name, number in expected.items()
            if count[name] != number
        ]
        told += [
            f"process {one.pid} ({one.name}) is nobody's"
            for one in self.processes
            if one.name not in expected
        ]
        strategies = {one.pid for one in self.processes if one.name == "strategy"}
        told += [
            f"{name} is said to be process {row['pid']}, which is no strategy"
            for name, row in sorted(self.rows.items())
            if row["pid"] not in strategies
        ]
        pids = {one.name: one.pid for one in self.processes}
        told += [
            f"the {name} is said to be process {self.named.get(name)}, and is {pids.get(name)}"
            for name in ("engine", "zygote")
            if self.named.get(name) != pids.get(name)
        ]
        return told

    def growth(self, before: Census) -> list[str]:
        """Return who holds more than the same process of an undisturbed run over the same ticks."""
        told = []
        for name in sorted(self.held.keys() & before.held.keys()):
            now, then = self.held[name], before.held[name]
            if now.descriptors > then.descriptors + MORE_DESCRIPTORS:
                told.append(f"{name} has {now.descriptors} descriptors, undisturbed {then.descriptors}")
            if now.memory > then.memory + MORE_MEMORY:
                told.append(f"{name} takes {now.memory / MIB:.0f} MiB, undisturbed {then.memory / MIB:.0f}")
        return told


def take(world: World) -> Census:
    """Look at everything once."""
    tree = world.tree()
    status = world.ask(daemon.status()) or {}
    single = [one for one in (world.supervisor, *tree) if one is not None and one.name not in _MANY]
    held = {
        "supervisor" if one == world.supervisor else one.name: Held(one.descriptors, one.memory)
        for one in single
    }
    named = {row["name"]: row["pid"] for row in status.get("processes", ())}
    return Census(tree, world.rows(), named, held)


_MANY = {"warden", "strategy"}
