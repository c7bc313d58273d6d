"""Timers of strategies, on the event clock."""

from __future__ import annotations

from supervisor.engine.timers import PER_CELL, Timers


def test_a_timer_is_due_once_and_a_repeating_one_goes_on_after_now() -> None:
    timers = Timers()
    timers.set("d", "once", 10, 0)
    timers.set("d", "often", 10, 4)
    assert [("d", "often", 10), ("d", "once", 10)] == list(timers.due(19))
    assert [("d", "often", 22)] == list(timers.due(22))


def test_the_same_name_again_replaces_a_timer() -> None:
    timers = Timers()
    timers.set("d", "t", 10, 0)
    timers.set("d", "t", 20, 0)
    assert [] == list(timers.due(19))
    assert [("d", "t", 20)] == list(timers.due(20))


def test_a_timer_set_again_for_ever_takes_no_memory() -> None:
    timers = Timers()
    timers.set("other", "t", 5, 0)
    for at in range(100_000):
        assert timers.set("d", "far", 10**18 + at, 0)
    assert len(timers._heap) <= 2 * 2 + PER_CELL
    assert [("other", "t", 5), ("d", "far", 10**18 + 99_999)] == list(timers.due(2 * 10**18))


def test_a_deployment_holds_so_many_timers_and_no_more() -> None:
    timers = Timers()
    assert [True] * PER_CELL + [False] == [timers.set("d", f"t{n}", 1, 0) for n in range(PER_CELL + 1)]
    timers.forget("d")
    assert [] == list(timers.due(2))
