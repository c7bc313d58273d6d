"""What a run tells of itself: plain data, written as JSON by ``run`` and read by the tests."""

from __future__ import annotations

from msgspec import Struct


class Result(Struct, frozen=True, kw_only=True):
    """One act in one cell. Sizes are bytes, ``took`` seconds from the request to the end of its warden."""

    outcome: str
    """In the words of ``EXPECT``; "silence" where nothing came, ``stillborn`` where it never got to it."""
    death: str
    """Cause and detail of the warden's last report."""
    log: list[str]
    took: float
    strategy_peak: int
    group_peak: int
    """Most that its control group was ever charged, of whatever kind; 0 without one."""
    warden_peak: int
    warden_slots: int
    """Room in the table of descriptors of its warden (FDSize, proc(5)), which never shrinks."""
    left: list[str]
    """What of the cell outlived it, or had to be killed."""


class Neighbour(Struct, frozen=True, kw_only=True):
    """What a well-behaved cell made of the time: latencies in seconds, tick sent to signal received."""

    asked: int
    answered: int
    median: float
    slowest: float
    beside: list[str]
    """The acts that ran during the slowest answer."""
    deaths: list[str]
    warden_peak: int
    warden_slots: int


class Run(Struct, frozen=True, kw_only=True):
    """All acts in one setting. ``memory`` is by how many bytes the supervisor grew."""

    setting: str
    refusal: str
    layers: dict[str, str]
    groups: str
    """What enforces memory and tasks besides limits: ``cgroup v1``, ``cgroup v2`` or why there is none."""
    acts: dict[str, Result]
    neighbour: Neighbour
    memory: int
    harmed: list[str]
    changed: list[str]
    left: list[str]
    seconds: float


class Handed(Struct, frozen=True, kw_only=True):
    """One act handed to a daemon as source. ``awake``: it strikes in the check already."""

    awake: bool
    status: int
    """Of the answer to the registering."""
    said: str
    """Why it was refused; "" if it was taken."""
    outcome: str = ""
    """Of the deployment, in the words of ``EXPECT``; "silence" where nothing came."""
    death: str = ""
    """Cause and detail of the deployment's first death, "" without one."""
    log: list[str] = []
    """The last lines of the deployment."""


class Registered(Struct, frozen=True, kw_only=True):
    """All acts that were handed to one daemon in one setting, by name."""

    setting: str
    acts: dict[str, list[Handed]]
    neighbour: list[str]
    """What was wrong with it afterwards."""
    daemon: list[str]
    """What was wrong with the daemon."""
    harmed: list[str]
    changed: list[str]
    left: list[str]
