from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.spec import Budgets
from sandbox.watchdog import Pace, TokenBucket, Watchdog


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
        now += 0.05
        dog.progress("on_tick", now)
    assert now == pytest.approx(70.0, abs=0.2)


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
