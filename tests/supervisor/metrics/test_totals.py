"""Counters over the instances of a deployment: they never fall while the daemon lives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.histogram import TURNS, Buckets, Histogram
from bus.messages import CellStats
from supervisor.control import DeploymentRow, SignalCounts
from supervisor.metrics.totals import COUNTED, Totals


def row(generation: int, **stats: int) -> DeploymentRow:
    return DeploymentRow(
        deployment_id="eurusd", generation=generation, counts=SignalCounts(), stats=CellStats(**stats)
    )


def ticks(totals: Totals) -> int:
    return totals.of("eurusd").counts[COUNTED.index("ticks")]


def test_an_instance_begins_at_nothing_and_the_deployment_goes_on():
    totals = Totals()
    totals.take([row(1, ticks=100)])
    totals.take([row(2)])
    totals.take([row(2, ticks=7)])
    assert ticks(totals) == 107


def test_an_engine_that_has_not_heard_of_a_cell_yet_takes_nothing_away():
    totals = Totals()
    totals.take([row(1, ticks=100)])
    totals.take([row(1)])
    assert ticks(totals) == 100


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 50)), max_size=40))
def test_counters_never_fall(steps: list[tuple[int, int]]):
    """A step is a new instance (0), an engine that knows nothing (1), or more ticks (2)."""
    totals, generation, count, said = Totals(), 1, 0, 0
    for step, more in steps:
        if step == 0:
            generation, count = generation + 1, 0
        count += more if step == 2 else 0
        totals.take([row(generation, ticks=0 if step == 1 else count)])
        assert ticks(totals) >= said
        said = ticks(totals)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1e6)), max_size=30))
def test_processor_time_never_falls(readings: list[tuple[bool, float]]):
    totals, generation, said = Totals(), 1, 0.0
    for born, seconds in readings:
        generation += born
        totals.used("eurusd", generation, seconds)
        assert totals.of("eurusd").cpu_time >= said
        said = totals.of("eurusd").cpu_time


def test_turns_of_all_instances_are_in_the_buckets():
    first, second = Histogram(TURNS), Histogram(TURNS)
    first.note(0.0002)
    second.note(0.0002)
    second.note(99.0)
    totals = Totals()
    for generation, histogram in ((1, first), (2, second)):
        stats = CellStats(ticks=1, turns=histogram.told())
        totals.take(
            [DeploymentRow(deployment_id="eurusd", generation=generation, counts=SignalCounts(), stats=stats)]
        )
    turns = totals.of("eurusd").turns
    assert (turns.counts[1], turns.counts[-1], sum(turns.counts)) == (2, 1, 3)
    assert turns.total == pytest.approx(99.0004)


def test_commits_of_an_engine_that_died_are_counted_with_those_of_the_next():
    totals = Totals()
    totals.committed(Buckets([5, 1], 0.5))
    totals.committed(Buckets([0, 0], 0.0))
    totals.committed(Buckets([2, 0], 0.1))
    assert totals.commits == Buckets([7, 1], 0.6)


def test_a_bound_is_in_its_own_bucket():
    """As in Prometheus: le is "less than or equal"."""
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.1, 1.0, 1.1):
        histogram.note(seconds)
    assert histogram.told().counts == [1, 1, 1]


def test_what_was_removed_is_forgotten():
    totals = Totals()
    totals.take([row(1, ticks=100)])
    totals.died("eurusd", "hang")
    totals.forget(["gold"])
    assert (ticks(totals), dict(totals.deaths)) == (0, {})
