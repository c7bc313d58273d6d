"""What a cell missed, told again by a real engine: in order, and whole. See test_engine_deaths.py, too."""

from __future__ import annotations

import time

import pytest

from bus import topics
from bus.messages import (
    Acked,
    CellCommand,
    Checkpoint,
    Filled,
    Missed,
    OrderChanged,
    Replayed,
    Resume,
    Signal,
    Signals,
    Ticks,
    Welcome,
)
from tests.supervisor.engine_harness import EngineProcess, decode_frame, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system
S = 1_000_000_000


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
    expected = [(1, Acked), (2, OrderChanged), (3, Filled)]
    assert expected == [(c.seq, type(c.body)) for c in commands]
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


def test_many_that_catch_up_at_once_and_one_that_is_live_hear_every_tick_once(engine: EngineProcess) -> None:
    publisher, live = engine.feed(), engine.attach("live")
    live.run()
    cells = [engine.attach(f"cell-{number}") for number in range(20)]
    begun = [cell.run().at for cell in cells]
    start, sent = time.time_ns(), 0

    def tick() -> None:
        nonlocal sent
        sent += 1
        send_tick(publisher, "X", start + sent, 100.0, seq=sent)

    for _ in range(5000):
        tick()
    wait_until(lambda: len(live.ticks()) == sent, what="all ticks")
    heard: list[list[int]] = [[] for _ in cells]
    missing = set(range(20))
    for number in missing:
        cells[number].heard.clear()
        cells[number].say(Missed(begun[number]))

    def caught_up() -> bool:
        tick()  # there is always something live
        for number in list(missing):
            for message in cells[number].listen():
                if isinstance(message, Replayed):
                    frames = [decode_frame(frame)[1] for frame in message.frames]
                    heard[number] += [t.seq or 0 for m in frames if isinstance(m, Ticks) for t in m.ticks]
                    if message.done:
                        missing.discard(number)
                    else:
                        cells[number].say(Missed(message.at))
                elif number not in missing and isinstance(message, Ticks):
                    heard[number] += [t.seq or 0 for t in message.ticks]
            cells[number].heard.clear()
        return not missing

    wait_until(caught_up, timeout=60, what="all of them caught up")
    for number, cell in enumerate(cells):  # what came behind the last piece is live
        wait_until(
            lambda: [*heard[number], *(t.seq for t in cell.ticks())][-1] == sent,  # noqa: B023
            what="the last tick",
        )
        heard[number] += [t.seq or 0 for t in cell.ticks()]
    wait_until(lambda: len(live.ticks()) == sent, what="the last tick")
    expected = list(range(1, sent + 1))
    assert [expected] * 20 == heard
    assert expected == [t.seq for t in live.ticks()]
    publisher.close()
    for cell in (live, *cells):
        cell.close()


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
    # The supervisor has not directed it to be paused: it was resumed while it had no instance.
    second.wait_heard(Resume)
    frames, _ = second.missed(resumed.at)
    ticks = [tick for _, message in frames if isinstance(message, Ticks) for tick in message.ticks]
    assert list(range(1, 11)) == [tick.seq for tick in ticks]
    publisher.close()
    second.close()


def test_a_checkpoint_beyond_the_end_of_the_tape_is_loaded_at_the_present(engine: EngineProcess) -> None:
    publisher, first = engine.feed(), engine.attach()
    welcome = first.run()
    start = time.time_ns()
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(first.ticks, what="a tick")
    # As after a power cut: of what it had seen, the end is not on the tape.
    position = {**welcome.position, "tick|X|": 5}
    first.say(Checkpoint(b"state", 1, welcome.tape, position, welcome.at))
    first.ask(data_as_of=start, data_key=1)
    first.close()
    second = engine.attach(generation=2)
    present: Welcome = second.run()
    assert (present.resumes, present.state, present.position["tick|X|"]) == (False, b"state", 1)
    assert engine.events("tape_too_short")  # once for each hello: on a busy host there is more than one
    publisher.close()
    second.close()


def test_what_was_saved_before_an_operator_started_it_does_not_say_where_to_go_on(
    engine: EngineProcess,
) -> None:
    publisher, first = engine.feed(), engine.attach()
    welcome = first.run()
    start = time.time_ns()
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(first.ticks, what="a tick")
    first.say(Checkpoint(b"old", 1, welcome.tape, welcome.position, welcome.at))
    first.ask(data_as_of=start, data_key=1)
    first.close()
    # The second dies before its first checkpoint, and the third goes on as it would have.
    for generation in (2, 3):
        cell = engine.attach(generation=generation, begun=2)
        fresh: Welcome = cell.run()
        assert (fresh.resumes, fresh.state, fresh.position["tick|X|"]) == (False, b"old", 1)
        if generation == 3:
            cell.say(Checkpoint(b"new", 1, fresh.tape, fresh.position, fresh.at))
            cell.ask(data_as_of=start, data_key=1, number=2)
        cell.close()
    fourth = engine.attach(generation=4, begun=2)
    resumed = fourth.run()
    assert (resumed.resumes, resumed.state, resumed.at) == (True, b"new", fresh.at)
    publisher.close()
    fourth.close()


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
