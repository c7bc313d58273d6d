import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.desk import DIRECTIONS, LULL, SECOND, Bucket, Desk, Grant, Standing

S = Standing


def desk(generation=1):
    found = Desk("d")
    found.attach(Grant(deployment_id="d", generation=generation))
    return found


EXPECTED = {
    ("pause", False): {S.OPEN: S.PAUSED, S.EXIT_ONLY: S.PAUSED},
    ("pause", True): {S.OPEN: S.EXIT_ONLY, S.PAUSED: S.EXIT_ONLY},
    ("resume", False): {S.PAUSED: S.OPEN, S.EXIT_ONLY: S.OPEN},
    ("resume", True): {S.PAUSED: S.EXIT_ONLY, S.OPEN: S.EXIT_ONLY},
}


@pytest.mark.parametrize(("verb", "start"), list(itertools.product(EXPECTED, S)))
def test_pause_and_resume_move_between_open_paused_and_exit_only(verb, start):
    subject = desk()
    subject.standing = start
    subject.direct(*verb)
    assert subject.standing is EXPECTED[verb].get(start, start)


@pytest.mark.parametrize(("verb", "start"), list(itertools.product(DIRECTIONS, [S.STOPPING, S.GONE])))
def test_a_stop_is_final_and_the_gone_stay_gone(verb, start):
    subject = desk()
    subject.standing = start
    subject.direct(*verb)
    assert subject.standing is start


@pytest.mark.parametrize("start", [S.OPEN, S.PAUSED, S.EXIT_ONLY])
def test_a_stop_that_asks_lets_exits_through_and_can_still_become_a_plain_one(start):
    subject = desk()
    subject.standing = start
    subject.direct("stop", exit_only=True)
    assert subject.standing is S.DRAINING
    subject.direct("resume", exit_only=False)
    assert subject.standing is S.DRAINING
    subject.direct("stop", exit_only=False)
    assert subject.standing is S.STOPPING


def test_a_new_generation_starts_open_and_cold():
    subject = desk(1)
    subject.warm = True
    subject.direct("stop", exit_only=False)
    assert subject.attach(Grant(deployment_id="d", generation=2))
    assert (subject.standing, subject.warm) == (S.OPEN, False)


def test_the_same_generation_again_changes_the_grant_and_nothing_else():
    subject = desk(1)
    subject.warm = True
    subject.direct("pause", exit_only=False)
    assert subject.attach(Grant(deployment_id="d", generation=1, symbols=["X"]))
    assert (subject.standing, subject.warm, subject.symbols) == (S.PAUSED, True, {"X"})


def test_an_older_generation_is_not_taken_on():
    subject = desk(2)
    assert not subject.attach(Grant(deployment_id="d", generation=1, symbols=["X"]))
    assert (subject.grant.generation, subject.symbols) == (2, frozenset())


def test_a_bucket_gives_its_burst_and_then_its_rate():
    bucket = Bucket(rate=2, burst=3)
    start = 10 * SECOND
    assert bucket.level(start) == 3
    for _ in range(3):
        bucket.take()
    assert bucket.level(start) == 0
    assert bucket.level(start + SECOND // 2) == 1
    assert bucket.level(start + 100 * SECOND) == 3


@given(st.lists(st.integers(0, 20 * SECOND), min_size=1, max_size=200))
def test_no_clock_however_wild_gives_more_than_burst_and_rate_allow(times):
    bucket, taken, newest = Bucket(rate=2, burst=3), 0, 0
    bucket.level(0)
    for now in times:
        newest = max(newest, now)
        while bucket.level(now) >= 1:
            bucket.take()
            taken += 1
    assert taken <= 3 + 2 * newest / SECOND + 1e-6


# ---- floods ---------------------------------------------------------------------------------------
START = 1_700_000_000 * SECOND


def flooding(subject, seconds, every=0.1, start=START, refused=True):
    """Return what was said of a flood that goes on for ``seconds``, and when."""
    said = []
    for number in range(round(seconds / every) + 1):
        now = start + round(number * every * SECOND)
        if why := subject.flooding(refused, now):
            said.append((round((now - start) / SECOND, 3), why))
    return said


def test_an_instance_that_is_over_its_rate_for_too_long_is_to_be_ended_and_said_so_once():
    assert flooding(desk(), 30) == [(10.0, "more than 200 signals a second for 10.0 s")]


def test_how_long_is_too_long_is_granted():
    subject = Desk("d")
    subject.attach(Grant(deployment_id="d", generation=1, signals_per_s=5, flood_after_s=2.0))
    assert flooding(subject, 30) == [(2.0, "more than 5 signals a second for 2.0 s")]


def test_signals_that_are_let_through_are_no_flood():
    assert flooding(desk(), 30, refused=False) == []


def test_what_is_let_through_in_between_is_no_lull():
    subject = desk()
    assert flooding(subject, 9) == []
    subject.flooding(False, START + 9 * SECOND)
    assert flooding(subject, 1.1, start=START + 9 * SECOND) != []


@pytest.mark.parametrize(("every", "floods"), [(LULL / SECOND, True), (LULL / SECOND + 0.1, False)])
def test_a_lull_ends_a_flood(every, floods):
    assert bool(flooding(desk(), 60, every)) is floods


def test_a_new_instance_begins_without_a_flood():
    subject = desk(1)
    assert flooding(subject, 9.5) == []
    subject.attach(Grant(deployment_id="d", generation=2))
    assert flooding(subject, 9.5, start=START + 10 * SECOND) == []
    assert flooding(subject, 1, start=START + 20 * SECOND) != []


def test_the_same_instance_attached_again_floods_on():
    subject = desk(1)
    assert flooding(subject, 9.5) == []
    subject.attach(Grant(deployment_id="d", generation=1))
    assert flooding(subject, 1, start=START + round(9.6 * SECOND)) != []


def test_a_clock_that_runs_backwards_makes_no_flood_longer_and_ends_none():
    subject = desk()
    assert flooding(subject, 5) == []
    assert flooding(subject, 5, start=START - 1000 * SECOND) == []
    assert flooding(subject, 6, start=START + 5 * SECOND) == [
        (5.0, "more than 200 signals a second for 10.0 s")
    ]
