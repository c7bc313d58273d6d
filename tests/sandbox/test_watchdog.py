from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.protocol import PROGRESS_AFTER, Violation
from sandbox.spec import Budgets, ExtraTime
from sandbox.watchdog import NAMES_A_CALL, NAMES_SLACK, Pace, TokenBucket, Watchdog


def test_loading_has_the_budget_of_initialize():
    dog = Watchdog(Budgets(), 100.0)
    assert (dog.call, dog.allowed, dog.left(100.0)) == ("load", 30.0, pytest.approx(30.05))


def test_a_turn_begins_on_the_budget_of_a_tick_and_progress_changes_it():
    dog = Watchdog(Budgets(), 0.0)
    dog.begin(1, 10.0)
    assert dog.left(11.0) == pytest.approx(1.05)
    dog.progress("on_candle_complete", 11.0)
    assert dog.left(11.0) == pytest.approx(10.05)
    assert dog.left(21.1) < 0


def test_progress_without_end_is_a_hang_in_the_end():
    dog = Watchdog(Budgets(), 0.0)
    dog.begin(1, 0.0)
    now = 0.0
    while dog.left(now) > 0 and now < 1000:
        now += 0.1
        dog.progress("on_tick", now)
    assert now == pytest.approx(70.0, abs=0.2)


def test_a_turn_cannot_name_more_callbacks_than_it_has():
    dog = Watchdog(Budgets(), 0.0)
    dog.begin(10, 0.0)
    for _ in range(NAMES_SLACK + 10 * NAMES_A_CALL):
        dog.progress("on_tick", 0.0)
    with pytest.raises(Violation, match="names more callbacks than its turn has, the last one on_tick"):
        dog.progress("on_tick", 0.0)


def test_only_the_first_turn_may_name_what_runs_once():
    """``on_start`` has the longest budget; a tick that called itself so would have it too."""
    dog = Watchdog(Budgets(), 0.0)
    dog.begin(1, 0.0)
    dog.progress("on_start", 0.0)
    assert dog.allowed == 30.0
    dog.begin(1, 1.0)
    dog.progress("on_start", 1.0)
    assert dog.allowed == 2.0


# ---- extra time -----------------------------------------------------------------------------------
def asked(dog: Watchdog, seconds: float, now: float) -> tuple[bool, float]:
    decision = dog.ask(seconds, now)
    return decision.granted, decision.left


def training(**extra: float) -> Watchdog:
    dog = Watchdog(Budgets(extra=ExtraTime(**extra)), 0.0)
    dog.begin(1, 0.0)
    return dog


def test_time_that_is_granted_extends_the_running_callback_and_its_turn():
    dog = training(capacity=600.0, refill=0.0)
    dog.progress("on_candle_complete", 0.0)
    assert asked(dog, 500.0, 1.0) == (True, 100.0)
    assert dog.left(1.0) == pytest.approx(10.05 + 500 - 1)
    assert dog.left(511.0) < 0


def test_more_than_the_bucket_holds_is_refused_and_takes_nothing():
    dog = training(capacity=600.0, refill=0.0)
    assert asked(dog, 601.0, 0.0) == (False, 600.0)
    assert dog.left(0.0) == pytest.approx(2.05)
    assert asked(dog, 600.0, 0.0) == (True, 0.0)


def test_the_next_callback_has_its_own_budget_and_what_was_not_used_flows_back():
    dog = training(capacity=600.0, refill=0.0)
    assert asked(dog, 300.0, 0.0) == (True, 300.0)
    dog.progress("on_tick", 102.0)  # 2 s of its budget, 100 s of what was granted
    assert dog.allowed == 2.0
    assert dog.bucket(102.0) == pytest.approx(500.0)
    assert dog.left(102.0) == pytest.approx(2.05)


def test_asking_and_giving_back_does_not_lengthen_the_turn():
    dog = training(capacity=600.0, refill=0.0)
    for _ in range(100):
        assert dog.ask(600.0, 0.0).granted
        dog.progress("on_tick", 0.0)
    now = 0.0
    while dog.left(now) > 0:
        now += 1.0
        dog.progress("on_tick", now)
    assert now == pytest.approx(70.0, abs=2.0)


def test_time_for_which_it_was_held_to_its_share_is_not_counted():
    dog = Watchdog(Budgets(), 0.0)
    dog.begin(1, 10.0)
    left = dog.left(11.0)
    dog.forgive(0.75, 11.0)
    assert dog.left(11.0) == pytest.approx(left + 0.75)
    dog.forgive(5.0, 11.5)  # three threads held at once: no more than has passed
    assert dog.left(11.5) == pytest.approx(left + 0.75)
    dog.begin(1, 20.0)
    fresh = dog.left(20.1)
    dog.forgive(9.0, 20.1)  # most of it before this callback began
    assert dog.left(20.1) == pytest.approx(fresh + 0.1)


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0, 3)), max_size=20))
def test_a_spinner_that_is_held_is_a_hang_once_it_ran_for_its_budget(steps):
    dog, now, ran = Watchdog(Budgets(), 0.0), 0.0, 0.0
    dog.begin(1, now)
    for passed, held in steps:
        now += passed
        ran += max(0.0, passed - held)
        dog.forgive(held, now)
    budget = Budgets().tick.hard + PROGRESS_AFTER
    assert dog.left(now) == pytest.approx(budget - ran, abs=1e-6)


def test_the_bucket_fills_with_time_up_to_its_capacity():
    dog = training(capacity=100.0, refill=60.0, left=0.0)
    assert asked(dog, 1.0, 59.0) == (False, pytest.approx(59 / 60))
    assert asked(dog, 1.0, 61.0) == (True, pytest.approx(1 / 60))
    dog.rest(61.0)
    assert dog.bucket(10**6) == 100.0


@given(
    st.floats(1, 1000),
    st.floats(0, 3600),
    st.lists(
        st.tuples(st.sampled_from(["ask", "name", "turn"]), st.floats(0, 50), st.floats(1, 900)), max_size=60
    ),
)
def test_nobody_runs_longer_than_budgets_bucket_and_refill_allow(capacity, refill, steps):
    """Whatever is asked when: time used beyond the budget never exceeds what was in the bucket."""
    dog = training(capacity=capacity, refill=refill)
    now = began = used = 0.0
    for what, pause, seconds in steps:
        now += min(pause, max(0.0, dog.left(now)))
        if what == "ask":
            dog.ask(seconds, now)
            continue
        used += max(0.0, now - began - 2.0 - PROGRESS_AFTER)
        began = now
        if what == "name":
            dog.progress("on_tick", now)
        else:
            dog.begin(1, now)
        assert -1e-6 <= dog.bucket(now) <= capacity + 1e-6
    assert used <= capacity + now * refill / 3600 + 1e-6


def test_a_fast_strategy_gets_large_turns_and_a_slow_one_single_ticks():
    pace = Pace()
    assert pace.ticks == Pace.MOST
    for _ in range(50):
        pace.note(1, 0.2)
    assert pace.ticks == 1
    for _ in range(50):
        pace.note(100, 0.01)
    assert 300 < pace.ticks <= 500


@given(
    st.floats(1, 1000),
    st.lists(st.tuples(st.floats(0, 0.5), st.floats(0.1, 50)), max_size=100),
)
def test_a_bucket_never_gives_more_than_its_burst_and_rate(rate, steps):
    bucket = TokenBucket(rate, rate, 0.0)
    now = taken = 0.0
    for pause, amount in steps:
        now += pause
        if bucket.take(amount, now):
            taken += amount
    assert taken <= rate + now * rate + 1e-6


def test_a_bucket_refuses_what_it_has_not_and_keeps_what_it_has():
    bucket = TokenBucket(1.0, 5.0, 0.0)
    assert [bucket.take(6, 0.0), bucket.take(5, 0.0), bucket.take(1, 0.5), bucket.take(1, 1.0)] == [
        False, True, False, True,
    ]  # fmt: skip
