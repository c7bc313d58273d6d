"""The machine of one live order, pure: whatever happens in whatever order, it is there once, and known."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.routes.order import (
    CLOSED,
    TABLE,
    Act,
    Heard,
    Live,
    Stage,
    act,
    answered,
    begin,
    believable,
    hear,
    withdraw,
)
from supervisor.routes.route import Answer

WORKING = Answer(status="working")


def sent(live: Live | None = None) -> Live:
    return hear(live or begin("o", 10.0, again=False), Heard.OFF)


def in_doubt() -> Live:
    return hear(sent(), Heard.SILENCE, "timed out")


def test_the_table_is_whole_but_for_what_cannot_happen():
    missing = {(stage, heard) for stage in Stage for heard in Heard if heard not in TABLE[stage]}
    already = {(stage, Heard.OFF) for stage in Stage if stage is not Stage.NEW}
    assert already | {(Stage.SENDING, Heard.UNHEARD)} == missing
    with pytest.raises(KeyError):
        hear(in_doubt(), Heard.OFF)


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (begin("o", 1.0, again=False), Act.SEND),
        (begin("o", 1.0, again=True), Act.QUERY),
        (begin("o", 1.0, again=False, filled=-0.5), Act.QUERY),
        (in_doubt(), Act.QUERY),
        (hear(in_doubt(), Heard.UNHEARD), Act.SEND),
        (withdraw(hear(in_doubt(), Heard.UNHEARD), "rejected", "late"), Act.CANCEL),
        (answered(sent(), WORKING), Act.QUERY),
        (withdraw(answered(sent(), WORKING), "cancelled", "asked"), Act.CANCEL),
        (answered(sent(), Answer(status="rejected")), Act.NOTHING),
    ],
)
def test_what_is_to_be_done_next(live, expected):
    assert expected is act(live)


def test_what_was_never_sent_is_taken_back_without_asking_anybody():
    live = withdraw(begin("o", 10.0, again=False), "rejected", "cut off")
    assert (Stage.ENDED, Answer(status="rejected", detail="cut off")) == (live.stage, live.answer)


def test_what_is_taken_back_while_it_is_being_sent_ends_with_the_answer_that_it_was_not_taken():
    live = hear(withdraw(sent(), "cancelled", "asked"), Heard.NOT_TAKEN, "429")
    assert (Stage.ENDED, "cancelled") == (live.stage, live.answer.status)


def test_what_may_be_on_its_way_is_given_up_only_once_its_id_is_barred():
    live = withdraw(hear(in_doubt(), Heard.UNHEARD), "rejected", "too late")
    assert Stage.NEW is live.stage
    for heard in (Heard.NOT_TAKEN, Heard.SILENCE):
        live = hear(live, heard, "down")
        assert Act.CANCEL is act(live)
    live = hear(live, Heard.UNHEARD)
    assert (Stage.ENDED, "rejected", "too late") == (live.stage, live.answer.status, live.answer.detail)


def test_an_order_that_was_there_once_is_never_sent_again():
    live = hear(answered(sent(), WORKING), Heard.UNHEARD, "never heard of it")
    assert (Stage.WORKING, True, Act.QUERY) == (live.stage, live.lost, act(live))
    assert not answered(live, WORKING).lost


def test_a_cancellation_that_is_refused_lets_the_order_go_on():
    live = hear(withdraw(answered(sent(), WORKING), "cancelled", "asked"), Heard.REFUSED, "too late")
    assert (Act.QUERY, "", "too late") == (act(live), live.withdrawn, live.why)


def test_a_refusal_ends_it_with_its_words():
    live = hear(sent(), Heard.REFUSED, "no margin")
    assert (Stage.ENDED, "rejected", "no margin") == (live.stage, live.answer.status, live.answer.detail)


def test_filled_counts_once_all_of_it_is_there():
    early = answered(sent(), Answer(status="filled", filled=4.0, average_price=1.0))
    assert (Stage.WORKING, "working") == (early.stage, early.answer.status)
    whole = answered(early, Answer(status="working", filled=10.0, average_price=1.0))
    assert (Stage.ENDED, "filled") == (whole.stage, whole.answer.status)


def test_an_end_told_with_older_sums_keeps_the_younger_ones():
    live = answered(sent(), Answer(status="working", filled=6.0, average_price=2.0, fees=0.6))
    live = answered(live, Answer(status="cancelled", filled=5.0, average_price=1.0, fees=0.5))
    assert Answer(status="cancelled", filled=6.0, average_price=2.0, fees=0.6) == live.answer


@pytest.mark.parametrize(
    "wrong",
    [
        {"filled": float("nan"), "average_price": 1.0}, {"filled": -1.0, "average_price": 1.0},
        {"filled": float("inf"), "average_price": 1.0}, {"filled": 1.0},
        {"filled": 1.0, "average_price": 0.0},
        {"filled": 1.0, "average_price": float("nan")}, {"fees": float("nan")},
    ],
)  # fmt: skip
def test_sums_that_cannot_be_are_no_answer(wrong):
    assert not believable(replace(WORKING, **wrong))
    assert believable(replace(WORKING, filled=1.0, average_price=1.0, fees=-0.1)), "a rebate"


# ---- whatever happens -----------------------------------------------------------------------------
ANSWERS = st.builds(
    Answer,
    status=st.sampled_from(["sent", "working", "filled", "cancelled", "rejected", "expired"]),
    filled=st.floats(0.0, 10.0),
    average_price=st.floats(0.5, 200.0),
    fees=st.floats(0.0, 5.0),
)
HAPPENINGS = st.lists(
    st.one_of(
        st.sampled_from([heard for heard in Heard if heard not in (Heard.TAKEN, Heard.CLOSED)]),
        ANSWERS,
        st.sampled_from(["cancelled", "rejected"]),
    ),
    max_size=30,
)


def lived_through(live: Live, happenings: list[object]) -> list[tuple[Live, object, Live]]:
    """Every step that can happen, as the courier takes them: it sends only where ``act`` says so."""
    steps = []
    for happening in happenings:
        before = live
        if isinstance(happening, Answer):
            live = answered(live, happening)
        elif isinstance(happening, Heard):
            allowed = happening is not Heard.OFF or act(live) is Act.SEND
            if not allowed or happening not in TABLE[live.stage]:
                continue
            live = hear(live, happening, "why")
        else:
            live = withdraw(live, happening, "reason")
        steps.append((before, happening, live))
    return steps


@given(HAPPENINGS, st.booleans())
@example([Heard.OFF, Heard.SILENCE, Heard.UNHEARD, Heard.OFF, Heard.SILENCE, Heard.UNHEARD], False)
def test_after_silence_nothing_is_sent_before_the_other_end_says_that_it_never_heard_of_it(happenings, again):
    doubt = again
    for _, happening, after in lived_through(begin("o", 10.0, again=again), happenings):
        if happening is Heard.OFF:
            assert not doubt
        elif isinstance(happening, Answer) or happening is Heard.UNHEARD:
            doubt = False
        elif happening is Heard.SILENCE and after.stage is Stage.UNKNOWN:
            doubt = True
        assert "o" == after.order_id


@given(HAPPENINGS, st.booleans())
def test_what_has_filled_never_shrinks_and_an_end_is_the_end(happenings, again):
    for before, _, after in lived_through(begin("o", 10.0, again=again), happenings):
        known = before.answer.filled if before.answer else 0.0
        assert known <= (after.answer.filled if after.answer else 0.0)
        if before.stage is Stage.ENDED:
            assert before == after
        if after.stage is Stage.ENDED:
            assert after.answer.status in CLOSED


@given(HAPPENINGS)
def test_once_the_other_end_has_had_it_it_is_never_sent_again(happenings):
    had = False
    for _, happening, after in lived_through(begin("o", 10.0, again=False), happenings):
        had = had or isinstance(happening, Answer)
        assert not (had and act(after) is Act.SEND)


@given(HAPPENINGS, st.booleans())
def test_whatever_has_happened_a_venue_that_answers_brings_every_order_to_an_end_or_to_work(
    happenings, again
):
    live = begin("o", 10.0, again=again)
    for _, _, after in lived_through(live, happenings):
        live = after
    if live.stage is Stage.SENDING:
        live = hear(live, Heard.SILENCE)
    for _ in range(4):  # the venue knows of nothing, and keeps its promises
        match act(live):
            case Act.SEND:
                live = answered(hear(live, Heard.OFF), WORKING)
            case Act.QUERY | Act.CANCEL:
                live = hear(live, Heard.UNHEARD)
            case Act.NOTHING:
                break
    assert live.stage in {Stage.WORKING, Stage.ENDED}
