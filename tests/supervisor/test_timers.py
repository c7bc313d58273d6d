"""Timers of strategies, on the event clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.engine.timers import BEHIND, FIRED, PER_CELL, SHORTEST, Timers

S = SHORTEST


def due(timers: Timers, now: int) -> list[tuple[str, str, int]]:
    return list(timers.due_of([name for name, _ in timers.armed()], now))


def test_only_what_a_deployment_reads_moves_its_timers() -> None:
    timers = Timers()
    timers.reads("old", ["OLD"])
    timers.reads("new", ["NEW", "BOTH"])
    timers.set("old", "t", 10, 0)
    timers.set("new", "t", 50, 0)
    assert [] == list(timers.due("NEW", 49))
    assert [("new", "t", 50)] == list(timers.due("BOTH", 1000))
    assert timers.due_by == {"OLD": 10}
    timers.reads("old", ["OTHER"])
    assert timers.due_by == {"OTHER": 10}
    timers.drop("old")
    assert (timers.due_by, timers.armed()) == ({}, [])


def test_a_timer_is_due_once_and_a_repeating_one_once_for_each_of_its_times() -> None:
    timers = Timers()
    timers.set("d", "once", 10 * S, 0)
    timers.set("d", "often", 10 * S, 4 * S)
    assert [
        ("d", "often", 10 * S), ("d", "once", 10 * S), ("d", "often", 14 * S), ("d", "often", 18 * S),
    ] == due(timers, 19 * S)  # fmt: skip
    assert [("d", "often", 22 * S)] == due(timers, 22 * S)


def test_what_is_due_next_is_known_without_asking() -> None:
    timers = Timers()
    timers.reads("d", ["X", "Y"])
    assert timers.due_by == {}
    timers.set("d", "a", 30, 0)
    timers.set("d", "b", 20, 0)
    timers.reads("e", ["Y"])
    timers.set("e", "c", 10, 0)
    assert timers.due_by == {"X": 20, "Y": 10}
    assert [("e", "c", 10), ("d", "b", 20)] == list(timers.due("Y", 25))
    assert timers.due_by == {"X": 30, "Y": 30}
    due(timers, 30)
    assert timers.due_by == {}


def test_the_same_name_again_replaces_a_timer() -> None:
    timers = Timers()
    timers.set("d", "t", 10, 0)
    timers.set("d", "t", 20, 0)
    assert [] == due(timers, 19)
    assert [("d", "t", 20)] == due(timers, 20)


def test_a_timer_set_again_for_ever_takes_no_memory() -> None:
    timers = Timers()
    timers.set("other", "t", 5, 0)
    for at in range(100_000):
        assert timers.set("d", "far", 10**18 + at, 0)
    assert [1, 1] == [len(owner.armed) for owner in timers._owners.values()]
    assert [("other", "t", 5), ("d", "far", 10**18 + 99_999)] == due(timers, 2 * 10**18)


def test_a_deployment_holds_so_many_timers_and_no_more() -> None:
    timers = Timers()
    assert [True] * PER_CELL + [False] == [timers.set("d", f"t{n}", 1, 0) for n in range(PER_CELL + 1)]
    timers.disarm("d")
    assert [] == due(timers, 2)


def test_over_a_hole_in_the_data_a_timer_fires_once() -> None:
    timers = Timers()
    timers.set("d", "t", S, S)
    now = (BEHIND + 10) * S
    assert [("d", "t", now)] == due(timers, now)
    assert [] == due(timers, now + S - 1)
    assert [("d", "t", now + S)] == due(timers, now + S)


def test_many_timers_of_one_deployment_do_not_hold_everybody_up_after_a_hole() -> None:
    timers = Timers()
    for number in range(PER_CELL):
        timers.set("d", f"t{number}", S, S)
    timers.set("e", "t", S, S)
    fired = due(timers, 1001 * S)
    assert PER_CELL == len([one for one in fired if one[0] == "d"])
    assert 1001 == len([one for one in fired if one[0] == "e"])


def test_new_names_for_ever_take_no_memory_and_no_room_in_a_mark() -> None:
    timers = Timers()
    for at in range(1, 10 * FIRED + 1):
        timers.set("d", f"t{at}", at, 0)
        assert [("d", f"t{at}", at)] == due(timers, at)
    kept = timers.capture()
    assert FIRED == len(kept)
    again = Timers()
    again.restore(kept)
    again.fired("d", "one more", 10 * FIRED + 1)
    assert [*(one.name for one in kept[1:]), "one more"] == [one.name for one in again.capture()]


def test_what_has_fired_does_not_fire_again_though_it_is_armed_as_it_first_was() -> None:
    timers = Timers()
    timers.set("d", "once", 10 * S, 0)
    timers.set("d", "often", 10 * S, 4 * S)
    assert 4 == len(due(timers, 19 * S))
    # The strategy died, and its checkpoint is from before all of that.
    timers.set("d", "once", 10 * S, 0)
    timers.set("d", "often", 10 * S, 4 * S)
    assert [("d", "often", 22 * S)] == due(timers, 23 * S)


def test_a_removed_deployment_begins_anew() -> None:
    timers = Timers()
    timers.set("d", "t", 10, 0)
    assert 1 == len(due(timers, 10))
    timers.forget("d")
    timers.set("d", "t", 10, 0)
    assert [("d", "t", 10)] == due(timers, 10)


times = st.integers(1, 60).map(lambda seconds: seconds * S)
arming = st.tuples(
    st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), times, st.sampled_from([0, S, 7 * S])
)


@given(st.lists(arming, max_size=6), st.lists(times, max_size=6), st.integers(0, 6))
def test_over_a_crash_the_same_timers_fire(
    armed: list[tuple[str, str, int, int]], asked: list[int], crash: int
) -> None:
    """Once with, once without an engine that dies after some of them fired, and reads so on its tape."""

    def run(dies: bool) -> list[tuple[str, str, int]]:
        timers = Timers()
        for one in armed:
            timers.set(*one)
        kept, fired = timers.capture(), []
        for number, now in enumerate(sorted(asked)):
            if dies and number == crash:
                timers = Timers()
                timers.restore(kept)
                for one in fired:
                    timers.fired(*one)
            fired += due(timers, now)
        return fired

    assert run(dies=False) == run(dies=True)
