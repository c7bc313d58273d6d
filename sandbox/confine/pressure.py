"""How long processes were kept waiting for processor, memory or disk: pressure stall information (PSI).

Rules of this file. Reading only; a file that is not there is a resource that is left out (Linux before 4.20,
PSI off at boot, a host whose groups are of version 1). ``parse`` is pure. Source of the format, the same for
the host (/proc/pressure) and for a control group (``*.pressure``): Documentation/accounting/psi.rst.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from sandbox.confine.cgroup_files import Files

Resource: TypeAlias = Literal["cpu", "memory", "io"]
RESOURCES: Final[tuple[Resource, ...]] = ("cpu", "memory", "io")
HOST: Final = Path("/proc/pressure")


class Stall(Struct, frozen=True):
    """``share`` of the last ten seconds, from 0 to 1 (``avg10``); ``total`` seconds since it was begun."""

    share: float
    total: float


class Pressure(Struct, frozen=True):
    """``some``: at least one task waited; ``full``: all that were not idle did, None where it is not told."""

    some: Stall
    full: Stall | None = None


Pressures: TypeAlias = dict[Resource, Pressure]


def parse(text: str) -> Pressure | None:
    """Read one file, "some avg10=0.12 avg60=0.05 avg300=0.01 total=123" and the same for "full". Pure.

    None of what has no line "some" of this form: a later kernel's, which is not guessed at.
    """
    found: dict[str, Stall] = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        try:
            figures = dict(pair.split("=", 1) for pair in rest.split())
            # A percentage, and microseconds.
            found[kind] = Stall(float(figures["avg10"]) / 100, int(figures["total"]) / 1e6)
        except (KeyError, ValueError):
            continue
    return Pressure(found["some"], found.get("full")) if "some" in found else None


def of_group(folder: Path, files: Files) -> Pressures:
    """Return what a control group of version 2 says, whether or not it has controllers."""
    return _read({name: folder / f"{name}.pressure" for name in RESOURCES}, files)


def of_host(files: Files) -> Pressures:
    """Return what the kernel says of all processes of the host; of a container that is its host."""
    return _read({name: HOST / name for name in RESOURCES}, files)


def _read(places: dict[Resource, Path], files: Files) -> Pressures:
    found: Pressures = {}
    for name, file in places.items():
        try:
            told = parse(files.read(file))
        except OSError:  # not there, or EOPNOTSUPP: PSI was turned off
            continue
        if told is not None:
            found[name] = told
    return found
