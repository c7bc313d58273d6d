"""Pressure of cells and of the host: read now and then, summed over instances, shown as percent."""

from __future__ import annotations

import asyncio
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sandbox.confine.cgroup import Group
from sandbox.confine.cgroup_dialect import Bounds
from sandbox.confine.cgroup_place import Place
from sandbox.confine.pressure import Pressure, Stall, parse
from supervisor.pressure import PERIOD, PressureGauge, view, waits
from supervisor.schema.pressure import PressureView, StallView
from tests.sandbox.fake_cgroups import TOP, FakeVersion2

BASE = TOP / "stratd-x"
SOME = ("memory", "some")


def line(total: float) -> str:
    return f"some avg10=25.00 avg60=0.00 avg300=0.00 total={round(total * 1e6)}\n"


class Scene:
    """A gauge over groups of a kernel that is a dictionary."""

    def __init__(self):
        self.kernel = FakeVersion2("/")
        self.living: dict[tuple[str, int], Group] = {}
        self.gauge = PressureGauge(lambda: self.living, self.kernel)
        Place(2, {"memory": BASE, "cgroup": BASE}, enable=("memory", "pids")).enter(self.kernel)
        self.kernel.groups[Path("/proc/pressure")] = {"io": line(7)}

    def begin(self, name: str, generation: int) -> None:
        group = Group(f"{name}.{generation}", Place(2, {"memory": BASE, "cgroup": BASE}), self.kernel)
        group.make(Bounds(2**26, None, 8))
        self.living[name, generation] = group

    def waited(self, name: str, generation: int, seconds: float) -> None:
        self.kernel.groups[BASE / f"{name}.{generation}"]["memory.pressure"] = line(seconds)

    def end(self, name: str, generation: int) -> None:
        group = self.living.pop((name, generation))
        self.gauge.ended((name, generation), group.pressure)
        group.remove()

    def look(self) -> None:
        asyncio.run(self.gauge.look())


def test_a_deployments_seconds_go_on_over_its_instances_to_the_last_of_each():
    scene = Scene()
    scene.begin("a", 1)
    scene.waited("a", 1, 2.0)
    scene.look()
    assert {"a": {SOME: 2.0}} == scene.gauge.totals(["a"])
    scene.waited("a", 1, 3.0)  # and nobody looks until it is gone
    scene.end("a", 1)
    assert {"a": {SOME: 3.0}} == scene.gauge.totals(["a"])
    scene.begin("a", 2)
    scene.waited("a", 2, 0.5)
    scene.look()
    assert {"a": {SOME: 3.5}} == scene.gauge.totals(["a"])


def test_what_was_removed_is_forgotten():
    scene = Scene()
    scene.begin("a", 1)
    scene.waited("a", 1, 2.0)
    scene.end("a", 1)
    assert {} == scene.gauge.totals(["b"])
    assert {} == scene.gauge.totals(["a"]), "for good: one that is begun anew begins at 0"


def test_one_that_ends_while_all_are_read_is_counted_once():
    scene = Scene()
    scene.begin("a", 1)
    scene.waited("a", 1, 2.0)
    group = scene.living["a", 1]

    class EndsMeanwhile(dict):
        def items(self):
            found = list(super().items())
            scene.gauge.ended(("a", 1), group.pressure)
            scene.living.clear()
            return found

    scene.gauge = PressureGauge(lambda: scene.living, scene.kernel)
    scene.living = EndsMeanwhile(scene.living)
    asyncio.run(scene.gauge.look())
    assert {"a": {SOME: 2.0}} == scene.gauge.totals(["a"])


def test_the_host_is_read_too_and_nothing_is_known_before_the_first_look():
    scene = Scene()
    assert ({}, {}) == (scene.gauge.host, scene.gauge.of(("a", 1)))
    scene.look()
    assert {("io", "some"): 7.0} == waits(scene.gauge.host)


def test_it_is_due_at_once_and_then_every_few_seconds():
    gauge = PressureGauge(dict)
    assert [True, *[False] * (PERIOD - 1), True] == [gauge.due() for _ in range(PERIOD + 1)]


def test_shown_are_percent_of_the_last_seconds_and_nothing_where_nothing_is_told():
    told = {"cpu": Pressure(Stall(0.125, 2.0), Stall(0.04, 1.0)), "io": parse(line(1))}
    cpu, io = StallView(some_percent=12.5, full_percent=4.0), StallView(some_percent=25.0)
    assert PressureView(cpu=cpu, io=io) == view(told)
    assert view({}) is None


@given(st.floats(0, 1), st.floats(0, 1e9))
def test_no_share_becomes_more_than_all(share, total):
    shown = view({"cpu": Pressure(Stall(share, total), None)})
    assert 0 <= shown.cpu.some_percent <= 100
