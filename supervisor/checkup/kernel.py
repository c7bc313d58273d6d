"""Settings of the kernel that cost latency or memory; none is demanded, each is told with what changes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from supervisor.schema import LayerView

NAME: Final = "kernel settings"
FAST_CLOCKS: Final = frozenset({
    "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase",
})  # fmt: skip
"""Clock sources that the vDSO reads without a system call (vdso(7), Documentation/timers of the kernel)."""
SCALES_BY_ITSELF: Final = frozenset({"intel_pstate", "amd-pstate-epp"})
"""Drivers whose governor "powersave" is an ordinary one (Documentation/admin-guide/pm of the kernel)."""


class Found(Struct, frozen=True, kw_only=True):
    """What the kernel says; "" is what it does not say, or has not."""

    clock: str = ""
    clocks: str = ""
    overcommit: str = ""
    huge_pages: str = ""
    governor: str = ""
    driver: str = ""


def look(root: Path = Path("/")) -> list[LayerView]:
    """Read the settings under ``root`` and say what is to be said."""
    clock = root / "sys/devices/system/clocksource/clocksource0"
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    return views(
        Found(
            clock=_read(clock / "current_clocksource"),
            clocks=_read(clock / "available_clocksource"),
            overcommit=_read(root / "proc/sys/vm/overcommit_memory"),
            huge_pages=_read(root / "sys/kernel/mm/transparent_hugepage/enabled"),
            governor=_read(frequency / "scaling_governor"),
            driver=_read(frequency / "scaling_driver"),
        )
    )


def views(found: Found) -> list[LayerView]:
    """Return a view for each setting that costs something, else one that says so. Pure."""
    told = [
        LayerView(name=NAME, state="available", detail=detail, command=command)
        for detail, command in _costs(found)
    ]
    return told or [LayerView(name=NAME, state="active", detail="none that costs latency or memory")]


def _costs(found: Found) -> Iterator[tuple[str, str]]:
    if found.clock and found.clock not in FAST_CLOCKS:
        better = next((name for name in found.clocks.split() if name in FAST_CLOCKS), "")
        file = "/sys/devices/system/clocksource/clocksource0/current_clocksource"
        yield (
            f"clock source {found.clock}: each look at the clock is a system call",
            f"echo {better} > {file}" if better else "",
        )
    if found.overcommit == "2":
        yield (
            "vm.overcommit_memory = 2: memory that a process reserves and never uses counts as used",
            "sysctl -w vm.overcommit_memory=0",
        )
    if "[always]" in found.huge_pages:
        yield (
            "transparent huge pages for all: forked cells, and a Redis on this host, take more memory",
            "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        )
    if found.governor == "powersave" and found.driver not in SCALES_BY_ITSELF:
        yield (
            "governor powersave: processors stay at their lowest frequency",
            "cpupower frequency-set -g performance",
        )


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
