"""Whether this host can hold one more instance: what is free against what is asked and promised. Pure.

Rules of this file. Readings are handed in, nothing is read here. What cannot be read refuses nothing. A quota
is a promise of the most that an instance may take, and most take far less, so promises are held against what
is free only after division by ``overcommit``; but the one that asks must find its own whole quota free now.
Every refusal has a rule id, part of the interface, and names what is short and by how much.

    ``host_memory``        memory
    ``host_descriptors``   open files of one of our own processes
    ``host_tasks``         processes and threads
    ``host_disk``          the disk of the state directory
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from supervisor.quota import mib

FILES_A_CELL = 12
"""Descriptors that a cell takes of supervisor or engine: channel, two pidfds, its log, its group, two
connections with what libzmq keeps for each; twice that while one instance follows another."""
TASKS_A_CELL = 8
"""Tasks of a new cell: the strategy, its warden with the two threads of libzmq, as many again in reserve."""
FILES_RESERVE = 32
TASKS_RESERVE = 32


class Rules(Struct, frozen=True, kw_only=True):
    """The ``[limits]`` section: bytes that stay free, and how often free memory may be promised."""

    memory_reserve: int = 64 * 2**20
    memory_overcommit: float = 4.0
    disk_reserve: int = 64 * 2**20


class Claim(Struct, frozen=True):
    """One instance that runs, or is about to: its quota, and what it has of it already (bytes)."""

    quota: int
    resident: int = 0

    @property
    def growth(self) -> int:
        """Bytes that it may still take."""
        return max(0, self.quota - self.resident)


class Room(Struct, frozen=True):
    """What may be ``used`` up to ``limit``, and by whom: "the engine", "this host"."""

    whose: str
    used: int
    limit: int

    @property
    def free(self) -> int:
        """How many are left."""
        return self.limit - self.used


class Readings(Struct, frozen=True, kw_only=True):
    """What the host said a moment ago. ``memory`` bytes available without swapping; None: not known."""

    memory: int | None = None
    disk: int | None = None
    files: tuple[Room, ...] = ()
    tasks: tuple[Room, ...] = ()


class Shortage(Struct, frozen=True):
    """Why not, as a rule id and a sentence."""

    rule: Literal["host_memory", "host_descriptors", "host_tasks", "host_disk"]
    detail: str


def admit(quota: int, others: Iterable[Claim], found: Readings, rules: Rules) -> Shortage | None:
    """Whether an instance with ``quota`` bytes of memory may start beside ``others``; None: it may."""
    return (
        _memory(quota, list(others), found.memory, rules)
        or _rooms("host_descriptors", "open files", FILES_A_CELL, FILES_RESERVE, found.files)
        or _rooms("host_tasks", "processes and threads", TASKS_A_CELL, TASKS_RESERVE, found.tasks)
        or _disk(found.disk, rules)
    )


def _memory(quota: int, others: list[Claim], available: int | None, rules: Rules) -> Shortage | None:
    if available is None:
        return None
    free = available - rules.memory_reserve
    if quota > free:
        return Shortage(
            "host_memory",
            f"its quota is {mib(quota)} and {mib(available)} are available, of which "
            f"{mib(rules.memory_reserve)} stay free (limits.memory_reserve): {mib(quota - free)} short; "
            "give it a smaller quota (--memory) or stop others",
        )
    promised = sum(claim.growth for claim in others)
    room = free * rules.memory_overcommit
    if promised + quota > room:
        return Shortage(
            "host_memory",
            f"{len(others)} deployments may still take {mib(promised)}, it {mib(quota)}, and {mib(room)} may "
            f"be promised ({mib(free)} free, limits.memory_overcommit = {rules.memory_overcommit:g}): "
            f"{mib(promised + quota - room)} short; give them smaller quotas (--memory) or stop some",
        )
    return None


def _rooms(
    rule: Literal["host_descriptors", "host_tasks"],
    what: str,
    wanted: int,
    reserve: int,
    rooms: Iterable[Room],
) -> Shortage | None:
    for room in rooms:
        short = wanted + reserve - room.free
        if short > 0:
            return Shortage(
                rule,
                f"{room.whose} has {room.used:,} {what} of at most {room.limit:,}; a cell takes up to "
                f"{wanted} and {reserve} stay free: {short:,} short; raise the limit or stop others",
            )
    return None


def _disk(free: int | None, rules: Rules) -> Shortage | None:
    if free is None or free >= rules.disk_reserve:
        return None
    return Shortage(
        "host_disk",
        f"the disk of the state directory has {mib(free)} free and {mib(rules.disk_reserve)} stay free "
        f"(limits.disk_reserve): {mib(rules.disk_reserve - free)} short; make room there",
    )
