"""The words of recovery, whom they are believed of, and the way back of who has missed something."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.feeds import catchup
from bus.feeds.catchup import AWAY, LONGEST, NEXT, PATIENCE, CatchUp, State, Word
from bus.feeds.recovery import (
    MAX_ANSWER,
    MAX_QUESTION,
    MOST,
    Answer,
    Question,
    RecoveryRefused,
    decode_answer,
    decode_question,
    place,
    refuse,
)
from bus.messages import encode

FRAMES = [b"tick.X", b""]


# ---- words ------------------------------------------------------------------------------------------
def test_a_question_and_an_answer_are_what_they_were_after_the_wire():
    question, answer = Question({"X": 0}, 5, 7), Answer(True, [(b"tick.X", b"1")], ["X"], 9)
    assert decode_question(encode(question)) == question
    assert decode_answer(encode(answer)) == answer


def test_what_may_be_left_off_is_left_off():
    assert decode_question(encode([{"X": 1}])) == Question({"X": 1}, 1000, 0)
    assert decode_answer(encode([False])) == Answer(False)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (b"\x91" * 5000, "malformed"),
        (encode([{"X": -1}]), "malformed"),
        (encode([{"X": 1}, 0]), "malformed"),
        (encode([{"X": 1}, MOST + 1]), "malformed"),
        (encode([{"X": 1.5}]), "malformed"),
        (encode([{"x" * 65: 1}]), "malformed"),
        (encode([{"X": 1}, 1, -1]), "malformed"),
        (encode([{f"S{n}": 1 for n in range(100_001)}]), "malformed"),
        (b"\x00" * (MAX_QUESTION + 1), "too_large"),
    ],
)
def test_a_question_that_cannot_be_used_is_refused_by_name(payload, reason):
    with pytest.raises(RecoveryRefused) as refused:
        decode_question(payload)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "malformed"),
        (encode([]), "malformed"),
        (encode([1]), "malformed"),
        (encode([False, [[b"t", b"p", b"x"]]]), "malformed"),
        (encode([False, [[b"t" * 257, b"p"]]]), "malformed"),
        (encode([False, [[b"t", b"p" * (2**20 + 1)]]]), "malformed"),
        (encode([False, [[b"t", b"p"]] * (MOST + 1)]), "malformed"),
        (encode([False, [], [""]]), "malformed"),
        (b"\x00" * (MAX_ANSWER + 1), "too_large"),
        (refuse(RecoveryRefused("malformed", "no question")), "refused"),
    ],
)
def test_an_answer_that_cannot_be_used_is_refused_by_name(payload, reason):
    with pytest.raises(RecoveryRefused) as refused:
        decode_answer(payload)
    assert refused.value.reason == reason
    assert len(str(refused.value)) < 300


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_decode_or_be_refused(payload):
    for decode in (decode_question, decode_answer):
        with contextlib.suppress(RecoveryRefused):
            assert decode(payload) is not None


# ---- whom they are believed of ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("feed", "announced", "asked"),
    [
        ("tcp://10.0.0.7:5555", "tcp://10.0.0.7:5556", "tcp://10.0.0.7:5556"),
        ("tcp://10.0.0.7:5555", "tcp://*:5556", "tcp://10.0.0.7:5556"),
        ("tcp://10.0.0.7:5555", "tcp://0.0.0.0:5556", "tcp://10.0.0.7:5556"),
        ("tcp://[2001:db8::1]:5555", "tcp://[::]:5556", "tcp://[2001:db8::1]:5556"),
        ("tcp://Feed.example:5555", "tcp://feed.example:1", "tcp://feed.example:1"),
        ("tcp://localhost:5555", "tcp://127.0.0.1:5556", "tcp://127.0.0.1:5556"),
        ("ipc:///run/feed", "ipc:///run/feed.recovery", "ipc:///run/feed.recovery"),
    ],
)
def test_what_is_where_the_feed_is_is_asked(feed, announced, asked):
    assert place(feed, announced) == (asked, "")


@pytest.mark.parametrize(
    ("feed", "announced"),
    [
        ("tcp://10.0.0.7:5555", "tcp://10.0.0.8:5556"),
        ("tcp://10.0.0.7:5555", "tcp://127.0.0.1:22"),
        ("tcp://10.0.0.7:5555", "ipc:///run/feed.recovery"),
        ("tcp://10.0.0.7:5555", "tcp://10.0.0.7:70000"),
        ("tcp://10.0.0.7:5555", "tcp://10.0.0.7:*"),
        ("tcp://10.0.0.7:5555", "tcp://10.0.0.7:5556;tcp://x:1"),
        ("tcp://10.0.0.7:5555", "10.0.0.7:5556"),
        ("tcp://10.0.0.7:5555", "tcp://10.0.0.7:5556\n"),
        ("tcp://*:5555", "tcp://10.0.0.8:5556"),
        ("tcp://*:5555", "tcp://*:5556"),
        ("ipc:///run/feed", "ipc:///run/stratd/feed"),
        ("ipc:///run/feed", "ipc:///run/../etc/x"),
        ("ipc:///run/feed", "ipc:///run/.."),
        ("ipc:///run/feed", "ipc:///run/"),
        ("ipc:///run/feed", "ipc:///run/a\x00b"),
        ("ipc:///run/feed", "tcp://127.0.0.1:5556"),
        ("ipc:///run/feed", "x" * 256),
    ],
)
def test_what_is_elsewhere_is_not_asked_and_it_is_said_why(feed, announced):
    asked, why = place(feed, announced)
    assert asked == ""
    assert why.isprintable()
    assert "is " in why


# ---- the way back -----------------------------------------------------------------------------------
def asking(*held, most=10):
    machine = CatchUp(most)
    machine.miss(FRAMES, 0)
    for frames in held:
        machine.hold(frames)
    return machine


def test_the_table_leads_from_every_state_back_to_live():
    reached = {State.LIVE}
    for _ in State:
        reached |= {before for (before, _), after in NEXT.items() if after in reached}
    assert reached == set(State)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("word", Word)
def test_a_word_that_a_state_does_not_know_is_a_mistake_of_ours(state, word):
    machine = CatchUp()
    machine.state = state
    if (state, word) in NEXT:
        machine._go(word)
        assert machine.state is NEXT[state, word]
    else:
        with pytest.raises(KeyError):
            machine._go(word)


def test_what_revealed_the_gap_alone_is_not_asked_about_again():
    machine = asking([b"1"], [b"2"])
    assert machine.take(Answer(False, [(b"t", b"p")])) == [(b"t", b"p")]
    assert [machine.release() for _ in range(4)] == [(FRAMES, True), ([b"1"], False), ([b"2"], False), None]
    assert machine.state is State.LIVE


def test_after_silence_nothing_that_was_held_is_asked_about_again():
    machine = asking([b"1"])
    machine.heard(PATIENCE // 2)
    assert not machine.late(PATIENCE - 1)
    assert machine.late(PATIENCE)
    machine.give_up()
    assert [machine.release() for _ in range(3)] == [(FRAMES, True), ([b"1"], True), None]


def test_a_gap_among_what_was_held_is_asked_about_with_the_rest_behind_it():
    machine = asking([b"1"], [b"2"])
    machine.take(Answer(False))
    machine.release()
    frames, known = machine.release()
    assert not known
    machine.miss(frames, 5)
    assert (machine.state, machine.held) == (State.ASKING, 2)
    machine.give_up()
    assert [machine.release()[0] for _ in range(2)] == [[b"1"], [b"2"]]


def test_the_time_for_an_answer_begins_with_each_question():
    machine = asking()
    machine.take(Answer(True, [(b"t", b"p")], cursor=3))
    assert machine.question({"X": 4}, PATIENCE) == Question({"X": 4}, catchup.LIMIT, 3)
    for now in range(0, 2 * PATIENCE, AWAY // 2):
        machine.heard(now)
    assert not machine.late(2 * PATIENCE - 1)
    assert machine.late(2 * PATIENCE)


def test_a_publisher_that_is_away_has_its_time_when_it_is_back():
    machine = asking()
    machine.heard(AWAY // 3)
    back = 5 * PATIENCE
    assert not machine.late(back), "it is as silent as its feed"
    assert machine.late(back, asked=False)
    machine.heard(back)
    machine.heard(back + PATIENCE // 2)
    assert not machine.late(back + PATIENCE - 1)
    assert machine.late(back + PATIENCE)


def test_nothing_is_held_for_ever_for_a_publisher_that_is_hardly_ever_heard_of():
    machine = asking()
    for now in range(0, LONGEST, AWAY):
        machine.heard(now)
        assert not machine.late(now)
    assert machine.late(LONGEST)


def test_an_answer_that_promises_more_and_gives_nothing_is_refused():
    with pytest.raises(RecoveryRefused, match="nothing is given"):
        asking().take(Answer(True))


@pytest.mark.parametrize("messages", [[], [(b"tick.X", b"known")]])
def test_who_gives_nothing_new_is_asked_no_more(messages):
    """However far it says that it has come: what is live waits for it meanwhile."""
    machine = asking()
    machine.question({"X": 5}, 0)
    for piece in range(catchup.USELESS):
        machine.take(Answer(True, messages, cursor=piece + 1))
        machine.question({"X": 5}, 0)
    with pytest.raises(RecoveryRefused, match="nothing new"):
        machine.take(Answer(True, messages, cursor=catchup.USELESS + 1))


def test_one_new_message_now_and_then_is_progress():
    machine = asking()
    have = {"X": 5}
    for piece in range(3 * catchup.USELESS):
        machine.question(dict(have), 0)
        machine.take(Answer(True, cursor=piece + 1))
        if piece % (catchup.USELESS - 1) == 0:
            have["X"] += 1
    assert machine.state is State.ASKING


def test_answers_without_end_have_one(monkeypatch):
    monkeypatch.setattr(catchup, "PIECES", 3)
    machine = asking()
    for cursor in (1, 2, 3):
        machine.take(Answer(True, cursor=cursor))
    with pytest.raises(RecoveryRefused, match="no end"):
        machine.take(Answer(True, cursor=4))


def test_what_is_held_has_a_limit():
    machine = asking(*[[b"x"]] * 2, most=4)
    assert machine.room
    machine.hold([b"x"])
    assert not machine.room
