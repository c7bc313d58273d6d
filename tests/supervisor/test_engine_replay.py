"""What a cell missed, told again by a real engine: in order, whole, and after the engine died too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bus import topics
from bus.messages import Acked, CellCommand, Checkpoint, Filled, Missed, Signal, Signals, Ticks, Welcome
from tests.supervisor.engine_harness import EngineProcess, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system
S = 1_000_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[EngineProcess]:
    made = EngineProcess(tmp_path)
    yield made
    if made.control.fileno() >= 0:
        assert 0 == made.stop(), made.stderr
        assert "" == made.stderr


def test_what_a_cell_heard_it_can_be_told_again_frame_for_frame(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    start = time.time_ns()
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="the first tick")
    assert "accepted" == cell.ask(data_as_of=start, data_key=1).decision
    for number in range(2, 50):
        send_tick(publisher, "X", start + number, 100.0, seq=number)
    cell.wait_filled()
    wait_until(lambda: len(cell.ticks()) == 49, what="49 ticks")

    again, at = cell.missed()
    told = [message for _, message in again if isinstance(message, Ticks)]
    assert [m for m in cell.heard if isinstance(m, Ticks)] == told
    commands = [message for _, message in again if isinstance(message, CellCommand)]
    assert [(1, Acked), (2, Filled)] == [(c.seq, type(c.body)) for c in commands]
    # From there on there is nothing but what is published later.
    send_tick(publisher, "X", start + 50, 100.0, seq=50)
    wait_until(lambda: len(cell.ticks()) == 50, what="50 ticks")
    more, _ = cell.missed(at)
    assert [50] == [t.seq for topic, m in more if topic == topics.tick("X") for t in m.ticks]
    publisher.close()
    cell.close()


def test_a_cell_is_told_again_what_it_reads_and_nothing_of_others(engine: EngineProcess) -> None:
    publisher = engine.feed()
    mine, other = engine.attach("mine", symbols=["X"]), engine.attach("other", symbols=["Y"])
    for cell in (mine, other):
        cell.run()
    start = time.time_ns()
    for number in range(1, 20):
        for symbol in "XY":
            send_tick(publisher, symbol, start + number, 100.0, seq=number)
    wait_until(lambda: min(len(mine.ticks()), len(other.ticks())) == 19, what="all ticks")
    assert "accepted" == other.ask(symbol="Y", data_as_of=start, data_key=1).decision
    seen = {topic for topic, _ in mine.missed()[0]}
    assert seen <= {
        topics.tick("X"),
        topics.candle("X"),
        topics.cell("mine"),
        topics.PULSE,
        topics.feed("main"),
    }
    for one in (publisher, mine, other):
        one.close()


def test_an_instance_begins_where_the_checkpoint_of_the_last_one_was(engine: EngineProcess) -> None:
    publisher, first = engine.feed(), engine.attach()
    welcome = first.run()
    assert (welcome.resumes, welcome.state) == (False, b"")
    start = time.time_ns()
    for number in range(1, 11):
        send_tick(publisher, "X", start + number, 100.0, seq=number)
    wait_until(lambda: len(first.ticks()) == 10, what="10 ticks")
    position = {**welcome.position, "tick|X|": 7}
    first.say(Checkpoint(b"state", 3, welcome.tape, position, welcome.at, paused=True))
    first.ask(data_as_of=start, data_key=1)  # answered after the checkpoint was taken
    first.close()

    second = engine.attach(generation=2)
    resumed = second.run()
    assert (resumed.state, resumed.state_version, resumed.recovered) == (b"state", 3, True)
    assert (resumed.resumes, resumed.paused, resumed.tape) == (True, True, welcome.tape)
    assert (resumed.position, resumed.at) == (position, welcome.at)
    frames, _ = second.missed(resumed.at)
    ticks = [tick for _, message in frames if isinstance(message, Ticks) for tick in message.ticks]
    assert list(range(1, 11)) == [tick.seq for tick in ticks]
    publisher.close()
    second.close()


def test_an_instance_that_an_operator_starts_begins_at_the_present(engine: EngineProcess) -> None:
    publisher, first = engine.feed(), engine.attach()
    welcome = first.run()
    start = time.time_ns()
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(first.ticks, what="a tick")
    first.say(Checkpoint(b"state", 1, welcome.tape, welcome.position, welcome.at))
    first.ask(data_as_of=start, data_key=1)
    first.close()
    second = engine.attach(generation=2, fresh=True)
    fresh: Welcome = second.run()
    assert (fresh.resumes, fresh.state, fresh.position["tick|X|"]) == (False, b"state", 1)
    publisher.close()
    second.close()


def test_who_asks_for_what_is_not_on_the_tape_begins_at_the_present(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    cell.say(Missed(10**15))
    again = cell.wait_heard(Welcome, lambda w: w is not welcome)
    assert (again.resumes, again.state, again.tape) == (False, b"", welcome.tape)
    engine.listen()
    assert ["tape_too_short"] == [event.kind for event in engine.events("tape_too_short")]
    publisher.close()
    cell.close()


def test_what_a_cell_says_before_it_runs_is_not_taken(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    early = Signals([Signal(symbol="X", intent="exit_all", reason="early", number=1)])
    cell.say(early)
    cell.say(early)
    cell.run()
    assert "rejected" == cell.ask(intent="exit_all", number=2).decision
    assert [2] == [m.ack.number for m in cell.heard if isinstance(m, Acked)]
    engine.listen()
    assert 1 == len(engine.events("report_early"))
    publisher.close()
    cell.close()
