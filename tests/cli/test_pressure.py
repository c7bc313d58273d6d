"""Pressure in ``describe``: a line of it where anything is told."""

from __future__ import annotations

from cli.pressure import pressure
from supervisor.schema.pressure import PressureView, StallView


def test_each_resource_that_is_told_has_its_share():
    view = PressureView(cpu=StallView(some_percent=12.4), io=StallView(some_percent=0.0, full_percent=0.0))
    assert "waited for cpu 12 %, io 0 % of the last 10 s" == pressure(view)


def test_nothing_is_said_of_what_is_not_told():
    assert ("", "") == (pressure(None), pressure(PressureView()))
