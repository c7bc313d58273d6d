"""What an engine that comes back is told again."""

from __future__ import annotations

import msgspec
import pytest

from bus.messages import Acked, CellReport, Schedule, Signal, SignalAck, Signals, TimerFired, encode
from sandbox.pending import AT_ONCE, MOST, TIMERS, Pending
from sandbox.reports import Outbox


def signal(number: int) -> Signal:
    return Signal(symbol="X", intent="enter_long", quantity=1.0, number=number)


def ack(number: int) -> Acked:
    return Acked(SignalAck("key", "accepted", number=number))


def numbers(pending: Pending) -> list[int]:
    return [
        one.number for report in pending.signals() if isinstance(report, Signals) for one in report.signals
    ]


def test_signals_without_a_verdict_are_said_again_in_order():
    pending = Pending()
    pending.asked(map(signal, range(1, 6)))
    pending.heard(ack(2))
    assert [3, 4, 5] == numbers(pending)
    pending.heard(ack(5))  # those before it were refused in a flood, which is not answered one by one
    pending.heard(ack(5))
    assert [] == pending.signals()


def test_what_is_never_answered_takes_no_memory():
    pending = Pending()
    pending.asked(map(signal, range(3 * MOST)))
    assert list(range(2 * MOST, 3 * MOST)) == numbers(pending)
    assert 2 * MOST == pending.forgotten


def test_what_is_said_again_is_what_the_engine_takes():
    pending = Pending()
    pending.asked(map(signal, range(2 * AT_ONCE + 1)))
    decode = msgspec.msgpack.Decoder(CellReport).decode
    said = [decode(encode(report)) for report in pending.signals()]
    assert [AT_ONCE, AT_ONCE, 1] == [len(report.signals) for report in said]


def test_timers_without_end_take_no_memory_while_a_cell_catches_up():
    pending = Pending()
    for number in range(10 * TIMERS):
        pending.withhold(Schedule(f"t{number}", 1))
    assert TIMERS == len(pending._withheld) == len(pending.withheld())


def test_timers_that_still_have_to_fire_are_set_again():
    pending, often = Pending(), Schedule("often", 5, 7)
    for timer in (Schedule("once", 5), often, Schedule("later", 1), Schedule("later", 9)):
        pending.armed(timer)
    pending.heard(TimerFired("once", 5))
    pending.heard(TimerFired("often", 5))
    pending.heard(TimerFired("later", 1))  # of before it was set again
    assert [] == pending.withheld()
    pending.withhold_all()
    assert [Schedule("often", 12, 7), Schedule("later", 9)] == pending.withheld()
    for number in range(2 * TIMERS):
        pending.armed(Schedule(f"t{number}", 1))
    pending.withhold_all()
    assert TIMERS == len(pending.withheld())


def test_a_timer_that_went_off_meanwhile_is_not_set_again():
    pending = Pending()
    pending.withhold(Schedule("once", 5))
    pending.withhold(Schedule("later", 9))
    assert pending.withholds
    pending.heard(TimerFired("once", 5))
    assert [Schedule("later", 9)] == pending.withheld()
    assert not pending.withholds


class Pipe:
    """A link that is there or not."""

    def __init__(self) -> None:
        self.there = True
        self.sent: list[bytes] = []

    def send(self, payload: bytes) -> bool:
        if self.there:
            self.sent.append(payload)
        return self.there


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def test_what_found_no_pipe_waits_until_the_engine_is_heard(pipe):
    outbox = Outbox(pipe)
    pipe.there = False
    outbox.put(b"1")
    pipe.there = True  # connected, and it may be to an engine that does not know us yet
    outbox.put(b"2")
    assert (False, []) == (outbox.flush(), pipe.sent)
    outbox.heard()
    assert (True, [b"1", b"2"]) == (outbox.flush(), pipe.sent)


def test_a_new_engine_hears_first_what_it_must_know_and_nothing_twice(pipe):
    outbox = Outbox(pipe)
    pipe.there = False
    for payload, again in ((b"signals", True), (b"checkpoint", False), (b"timer", True)):
        outbox.put(payload, again=again)
    pipe.there = True
    outbox.resume([b"running", b"signals"])
    assert [b"running", b"signals", b"checkpoint"] == pipe.sent
