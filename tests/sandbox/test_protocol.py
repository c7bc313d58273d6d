from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Signal
from sandbox import protocol
from sandbox.protocol import (
    ALLOWED,
    AskTime,
    Conversation,
    Done,
    Initialised,
    OutOfMemory,
    Part,
    Phase,
    Progress,
    Refused,
    Said,
    StatePart,
    Turn,
    Violation,
    decode_order,
    encode,
)
from sandbox.spec import Budgets, CellSpec


def idle(limit: int = 2**20) -> Conversation:
    conversation = Conversation(limit)
    conversation.hear(encode(Initialised()))
    return conversation


def busy(limit: int = 2**20) -> Conversation:
    conversation = idle(limit)
    conversation.begin([(b"pulse|", b"x")])
    return conversation


def test_every_phase_says_what_may_follow():
    assert set(ALLOWED) == set(Phase)
    assert {word for table in ALLOWED.values() for word in table} == set(protocol.Word.__args__)


@pytest.mark.parametrize(
    "word", [Progress("on_tick"), Said([]), StatePart(b"", 1, False), Done(1), Initialised()]
)
def test_a_word_while_idle_is_a_violation(word):
    with pytest.raises(Violation, match="out of turn: the strategy is idle"):
        idle().hear(encode(word))


def test_a_refusal_ends_the_conversation():
    conversation = Conversation(1)
    conversation.hear(encode(Refused("load", "no such class")))
    assert conversation.phase is Phase.OVER
    with pytest.raises(Violation, match="the strategy is over"):
        conversation.hear(encode(OutOfMemory("on_tick")))


def test_a_turn_ends_with_done_of_its_own_number():
    conversation = busy()
    with pytest.raises(Violation, match="Done is of another turn than the one that runs"):
        conversation.hear(encode(Done(conversation.turn + 1)))
    conversation = busy()
    conversation.hear(encode(Done(conversation.turn)))
    assert conversation.phase is Phase.IDLE


def test_an_answer_cannot_be_written_before_its_turn():
    """Numbers that count could be answered ahead, and a hang would look like a strategy at rest."""
    numbers = set()
    conversation = idle()
    for _ in range(100):
        conversation.begin([(b"pulse|", b"x")])
        numbers.add(conversation.turn)
        conversation.hear(encode(Done(conversation.turn)))
    assert len(numbers) == 100
    assert max(numbers) > 2**50


def test_a_turn_does_not_end_in_the_middle_of_a_state():
    conversation = busy()
    conversation.collect(StatePart(b"abc", 1, True))
    with pytest.raises(Violation, match="in the middle of a state: 3 bytes came"):
        conversation.hear(encode(Done(conversation.turn)))


def test_a_state_of_empty_pieces_without_end_is_a_violation():
    with pytest.raises(Violation, match="an empty piece"):
        busy().collect(StatePart(b"", 1, True))


def test_a_turn_cannot_begin_while_another_runs():
    with pytest.raises(RuntimeError, match="while busy"):
        busy().begin([(b"pulse|", b"x")])


@given(st.binary(max_size=200))
def test_random_bytes_are_a_word_or_a_violation_and_nothing_else(data):
    conversation = busy()
    with contextlib.suppress(Violation):
        assert isinstance(conversation.hear(data), protocol.Word.__args__)


@pytest.mark.parametrize(
    "word",
    [
        Progress("x" * 65),
        Progress("x\x1b[2J"),
        Progress("on_tick\n"),
        Progress(""),
        Said([Signal(symbol="X", intent="enter_long")] * 1001),
        Said([Signal(symbol="X", intent="enter_long", quantity=float("nan"))]),
        Said([Signal(symbol="X" * 65, intent="enter_long")]),
        StatePart(b"x" * (protocol.PIECE + 1), 1, False),
        Done(1, slow=[("x", 1)] * 17),
        Done(1, longest_ns=-1),
        Done(1, longest_ns=2**63),
        Done(1, slow_calls=2**32),
        Done(1, slow=[("on_tick", 2**63)]),
        AskTime(0.5),
        AskTime(float("nan")),
        AskTime(float("inf")),
    ],
)
def test_a_field_out_of_its_bounds_is_a_violation(word):
    with pytest.raises(Violation, match="does not decode"):
        busy().hear(encode(word))


def test_deep_nesting_is_a_violation():
    with pytest.raises(Violation):
        busy().hear(b"\x91" * 60_000)


def test_a_large_payload_goes_ahead_in_parts_that_fit_datagrams():
    payload = bytes(range(256)) * 1000
    conversation = idle()
    datagrams = conversation.begin([(b"to|a|", payload)])
    assert max(map(len, datagrams)) <= protocol.DATAGRAM
    orders = [decode_order(datagram) for datagram in datagrams]
    assert b"".join(order.data for order in orders[:-1] if isinstance(order, Part)) == payload
    assert orders[-1] == Turn(conversation.turn, [(b"to|a|", b"")])


def test_state_is_collected_up_to_its_limit():
    conversation = busy(limit=5)
    assert conversation.collect(StatePart(b"abc", 1, True)) is None
    assert conversation.collect(StatePart(b"de", 1, False)) == b"abcde"
    assert conversation.collect(StatePart(b"abc", 1, True)) is None
    with pytest.raises(Violation, match="a state of over 5 bytes"):
        conversation.collect(StatePart(b"def", 1, False))


def test_the_setup_holds_neither_token_nor_endpoint():
    spec = CellSpec(
        deployment_id="a", generation=1, strategy="s", version="1", code_path="/c", account_id="acc",
        trading_mode="paper", symbols=[], timeframes=[], parameters={}, market_endpoint="ipc://m",
        report_endpoint="ipc://r", token="hush",
    )  # fmt: skip
    datagram = encode(protocol.setup_of(spec))
    assert b"hush" not in datagram
    assert b"ipc://" not in datagram


@pytest.mark.parametrize(
    ("call", "hard"),
    [("on_tick", 2.0), ("on_candle_complete", 10.0), ("load", 30.0), ("cleanup", 5.0), ("on_timer", 10.0)],
)
def test_every_callback_has_a_budget(call, hard):
    assert protocol.budget_of(Budgets(), call).hard == hard
