"""Pressure, as ``describe`` says it: which share of the last seconds something waited."""

from __future__ import annotations

from supervisor.schema.pressure import PressureView


def pressure(view: PressureView | None) -> str:
    """Return "cpu 12 %, memory 0 %, io 0 %" of the last ten seconds, "" if nothing is told. Pure."""
    if view is None:
        return ""
    told = {"cpu": view.cpu, "memory": view.memory, "io": view.io}
    known = [f"{name} {stall.some_percent:.0f} %" for name, stall in told.items() if stall is not None]
    return f"waited for {', '.join(known)} of the last 10 s" if known else ""
