"""When a cell is asked for its state, and which states are taken: pure, with made-up clocks."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import topics
from bus.agenda import NEVER
from bus.messages import Checkpoint
from supervisor.engine.saving import AGAIN, GAP, SECOND, SPARE_TOPICS, Saving, objection

EVERY = 30 * SECOND


def asked(saving: Saving, now: int) -> list[str]:
    """Whom it asks at ``now``; nobody before ``wake``, and of a sleep until then nothing is missed."""
    wake, due = saving.wake, saving.due(now)
    assert now >= wake or not due
    assert saving.wake > now
    return due


def test_nobody_runs_and_nobody_is_asked():
    saving = Saving(EVERY)
    assert (saving.wake, saving.due(10**18)) == (NEVER, [])


def test_one_that_begins_is_asked_at_once_and_then_every_so_often():
    saving = Saving(EVERY)
    saving.running("d", 100)
    assert asked(saving, 99) == []
    assert asked(saving, 100) == ["d"]
    saving.saved("d", 200)
    assert asked(saving, 200 + EVERY - 1) == []
    assert asked(saving, 200 + EVERY) == ["d"]


def test_an_accepted_signal_is_followed_at_once_but_ten_times_a_second_at_most():
    saving = Saving(EVERY)
    saving.running("d", 0)
    assert asked(saving, 0) == ["d"]
    saving.saved("d", 1)
    saving.accepted("d", 5)
    assert asked(saving, GAP - 1) == []
    assert asked(saving, GAP) == ["d"]
    saving.saved("d", GAP + 1)
    saving.accepted("d", 3 * GAP)
    assert asked(saving, 3 * GAP) == ["d"]


def test_while_a_question_is_under_way_no_other_is_asked():
    saving = Saving(EVERY)
    saving.running("d", 0)
    assert asked(saving, 0) == ["d"]
    for now in range(1, AGAIN, GAP // 3):
        saving.accepted("d", now)
        assert asked(saving, now) == []


def test_one_that_does_not_answer_is_asked_again():
    saving = Saving(EVERY)
    saving.running("d", 0)
    asked(saving, 0)
    assert asked(saving, AGAIN - 1) == []
    assert asked(saving, AGAIN) == ["d"]
    assert asked(saving, 2 * AGAIN) == ["d"]


def test_one_that_is_gone_is_not_asked_and_the_next_one_is_at_once():
    saving = Saving(EVERY)
    saving.running("d", 0)
    saving.gone("d")
    saving.accepted("d", 5)
    saving.saved("d", 6)
    assert saving.due(AGAIN) == []
    saving.running("d", AGAIN + 1)
    assert asked(saving, AGAIN + 1) == ["d"]


def test_a_checkpoint_that_nobody_asked_for_counts():
    saving = Saving(EVERY)
    saving.running("d", 0)
    asked(saving, 0)
    saving.saved("d", 1)
    saving.accepted("d", 2)
    saving.saved("d", 3)  # it stopped for a pause, and saved
    assert asked(saving, EVERY) == []
    assert asked(saving, EVERY + 3) == ["d"]


@given(st.lists(st.tuples(st.sampled_from("asnx"), st.integers(0, 2 * GAP)), min_size=1, max_size=120))
def test_whatever_happens_the_last_signal_is_followed_by_a_checkpoint(steps):
    """The pipe keeps its order: an answer covers what was accepted before it arrives."""
    saving, now = Saving(EVERY), 0
    uncovered: deque[int] = deque()
    questions: list[int] = []
    open_question = False

    def turn() -> None:
        nonlocal open_question
        if saving.due(now):
            assert not open_question or now >= questions[-1] + AGAIN
            assert not questions or now >= questions[-1] + GAP
            questions.append(now)
            open_question = True

    saving.running("d", now)
    turn()
    for what, wait in steps:
        now = min(now + wait, max(now, saving.wake)) if wait else now
        turn()
        if what == "a":
            saving.accepted("d", now)
            uncovered.append(now)
        elif what == "s" and open_question:
            saving.saved("d", now)
            open_question = False
            uncovered.clear()
        turn()
    while uncovered:
        before = now
        while not open_question:
            now = max(now, saving.wake)
            assert now <= before + GAP
            turn()
        saving.saved("d", now)
        open_question = False
        uncovered.clear()


# ---- which are taken ------------------------------------------------------------------------------
GOOD = Checkpoint(b"x" * 1024, 1, 7, {"tick|X|": 3, "candle|X|": 1, "to|d|": 2}, 100)


def test_a_checkpoint_within_its_bounds_is_taken():
    assert objection(GOOD, 1024, 1) == ""


def test_a_cell_on_a_host_with_many_feeds_is_saved():
    """Their health is among what a cell has had (sandbox/handout.py)."""
    feeds = {topics.feed(f"feed-{number}").decode(): 1 for number in range(100)}
    assert objection(Checkpoint(b"", 1, 7, {**GOOD.position, **feeds}), 1024, 1) == ""


@pytest.mark.parametrize(
    ("checkpoint", "why"),
    [
        (Checkpoint(b"x" * 1025, 1, 7, {}), r"1,025 bytes, at most 1,024 are kept ([quota] checkpoint)"),
        (
            Checkpoint(b"", 1, 7, {str(n): 1 for n in range(SPARE_TOPICS + 3)}),
            "a position of 1,003 topics, at most 1,002 are known",
        ),
        (Checkpoint(b"", 1, 7, {"t" * 257: 1}), "a topic of more than 256 characters in its position"),
    ],
)
def test_one_beyond_them_is_not_and_says_why(checkpoint, why):
    assert objection(checkpoint, 1024, 1) == why
