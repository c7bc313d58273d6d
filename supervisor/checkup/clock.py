"""Whether the host's clock is kept right: signals are stamped with it, and their age is told by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sandbox.confine.clock import ClockReading, read_clock
from supervisor.checkup.distribution import CLOCK, Family
from supervisor.schema import LayerView

FAR: Final = 1.0
"""Seconds that a clock that is kept may be off before that is told: a day over which nobody was asked."""


def view(reading: ClockReading, family: Family) -> LayerView:
    """Say what a reading means. Pure."""
    off = f"off by at most {reading.max_error * 1e3:.3g} ms"
    if not reading.synchronised:
        return LayerView(
            name="clock",
            state="available",
            detail="nobody keeps it right, so the age of data and signals cannot be trusted",
            command=CLOCK[family],
        )
    if reading.max_error > FAR:
        return LayerView(
            name="clock", state="available", detail=f"synchronised, but {off}", command="chronyc sources"
        )
    return LayerView(name="clock", state="active", detail=f"synchronised, {off}")


def look(family: Family, read: Callable[[], ClockReading] = read_clock) -> LayerView:
    """Ask the kernel and say what it means."""
    try:
        return view(read(), family)
    except OSError as error:
        return LayerView(name="clock", state="off", detail=f"the kernel does not tell: {error.strerror}")
