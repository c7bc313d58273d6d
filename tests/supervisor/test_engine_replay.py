"""What a cell missed, told again by a real engine: in order, whole, and after the engine died too."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from msgspec.structs import replace

from bus import topics
from bus.messages import (
    Acked,
    Candles,
    CellCommand,
    Checkpoint,
    Filled,
    Missed,
    Replayed,
    Resume,
    Schedule,
    Signal,
    SignalAck,
    Signals,
    Ticks,
    TimerFired,
    Welcome,
    encode,
)
from bus.sockets import Publisher
from supervisor.control import Configure, Detach, Expect, FeedSpec, Forget
from supervisor.engine.resume import MARK, Mark
from supervisor.store.journal import Journal
from supervisor.store.tape import Tape
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


# ---- over the death of the engine -----------------------------------------------------------------
def again(engine: EngineProcess) -> EngineProcess:
    """Kill an engine, and start another one on what it left, with the same feed."""
    engine.kill()
    return EngineProcess(engine.folder)


@contextmanager
def ended(engine: EngineProcess, publisher: Publisher) -> Iterator[None]:
    """Whatever comes of the test, end an engine that is not the fixture's, and the feed of both."""
    try:
        yield
    finally:
        publisher.close()
        engine.stop()


def configured(engine: EngineProcess) -> None:
    """As the supervisor does it: who reads what, then the feed, then the living cell."""
    engine.tell(Expect("one", ["X"], ["1s"]))
    engine.tell(Configure([FeedSpec(name="main", endpoint=f"ipc://{engine.folder}/feed-main")]))


def whole_seconds(engine: EngineProcess) -> int:
    """Return a start that lies on a second, some seconds ago."""
    return (time.time_ns() // S - 60) * S


def test_an_engine_goes_on_with_numbers_candles_and_prices_where_another_was_killed(
    engine: EngineProcess,
) -> None:
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    start = whole_seconds(engine)
    for number in range(1, 26):  # 2.5 seconds: two candles, and half of the third
        send_tick(publisher, "X", start + number * S // 10, 100.0 + number, seq=number)
    wait_until(lambda: len(cell.ticks()) == 25, what="25 ticks")
    cell.close()

    engine = again(engine)
    with ended(engine, publisher):
        configured(engine)
        assert publisher.wait_for_subscriber(10)
        living = engine.attach()
        back = living.run(tape=welcome.tape)
        assert (back.resumes, back.tape, back.state, back.warmup) == (True, welcome.tape, b"", [])
        # The price is the last one although no tick has come yet.
        ack = living.ask(data_as_of=start + 25 * S // 10, reference_price=125.0, ttl_ms=600_000)
        assert ("accepted", "") == (ack.decision, ack.detail)
        for number in range(26, 41):
            send_tick(publisher, "X", start + number * S // 10, 100.0 + number, seq=number)
        living.wait_filled()
        wait_until(lambda: len(living.ticks()) == 15, what="15 ticks")
        frames, _ = living.missed(welcome.at)
        numbers = [m.seq + n for _, m in frames if isinstance(m, Ticks) for n in range(len(m.ticks))]
        assert list(range(1, 41)) == numbers
        closed = [c for _, m in frames if isinstance(m, Candles) for c in m.candles]
        # The third was half done when the engine died; each is told once, whole, and in order.
        expected = [(start + n * S, 10, "ok", 100.0 + 10 * n, 109.0 + 10 * n) for n in (1, 2, 3)]
        assert expected == [
            (c.open_time, c.trades, c.quality, c.open, c.close) for c in closed if not c.partial
        ]
        assert [1, 2, 3] == [m.seq for _, m in frames if isinstance(m, Candles)]
        living.close()


def test_what_was_decided_and_not_told_any_more_is_told_by_the_next_engine(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    start = whole_seconds(engine)
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    ack = cell.ask(data_as_of=start, data_key=1, ttl_ms=600_000)
    assert "accepted" == ack.decision
    acked = Acked(ack, 1)
    send_tick(publisher, "X", start + 1, 100.0, seq=2)
    [filled] = cell.wait_filled()
    assert (3, True) == (filled.seq, acked in cell.heard)  # between them the order was placed
    cell.close()
    engine.kill()
    # As if it had been killed between the commit and the tape.
    folder = engine.folder / "state" / "tape"
    with Tape.open(folder) as tape:
        kept, at = [], tape.begin
        while at < tape.end:
            frames, at = tape.read(at, 2**20)
            kept += frames
        assert any(topics.of(frame) == topics.cell("one") for frame in kept)
        identity = tape.identity
    for segment in folder.glob("*.tape"):
        segment.unlink()
    (folder / "00000000000000000000.tape").touch()
    with Tape.open(folder) as tape:
        assert tape.identity == identity
        tape.append([frame for frame in kept if topics.of(frame) != topics.cell("one")])

    engine = EngineProcess(engine.folder)
    with ended(engine, publisher):
        configured(engine)
        living = engine.attach()
        living.run(tape=welcome.tape)
        replayed, _ = living.missed(0)
        told = [(m.seq, m.body) for _, m in replayed if isinstance(m, CellCommand)]
        position = replace(filled.position, unrealised=0.0)  # at the fill's own price
        assert [(1, acked), (2, replace(filled, position=position))] == told
        living.close()


def test_what_is_in_no_journal_any_more_is_not_told_again(engine: EngineProcess) -> None:
    """A lost journal: a cell that lives may not go on with positions that nobody else knows of."""
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    start = whole_seconds(engine)
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    cell.ask(data_as_of=start, data_key=1, ttl_ms=600_000)
    send_tick(publisher, "X", start + 1, 100.0, seq=2)
    cell.wait_filled()
    cell.close()
    engine.kill()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (engine.folder / "state" / name).unlink(missing_ok=True)

    engine = EngineProcess(engine.folder)
    try:
        configured(engine)
        assert publisher.wait_for_subscriber(10)
        living = engine.attach()
        back = living.run(tape=welcome.tape)
        assert (back.resumes, back.positions, back.position["tick|X|"]) == (False, [], 2)
        assert back.tape != welcome.tape
        assert 1 == len(engine.events("tape_renumbered"))
        # The market goes on, and so do the numbers.
        send_tick(publisher, "X", start + 2, 100.0, seq=3)
        wait_until(lambda: [t.seq for t in living.ticks()] == [3], what="the third tick")
        living.close()
        engine.kill()
        engine = EngineProcess(engine.folder)
        assert [] == engine.events("tape_renumbered")
        configured(engine)
        once_more = engine.attach()
        assert once_more.run(tape=back.tape).resumes
        once_more.close()
    finally:
        publisher.close()
        engine.stop()


def test_a_journal_that_ends_before_what_was_told_after_the_last_mark_is_found_out(
    engine: EngineProcess,
) -> None:
    """A power cut took the journal's last commits, and not the end of the tape."""
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    start = whole_seconds(engine)
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    assert "rejected" == cell.ask(intent="exit_all").decision
    engine.kill()
    with Tape.open(engine.folder / "state" / "tape") as tape:
        _, frame = tape.last(MARK)  # type: ignore[misc] # there is one
        marked = msgspec.msgpack.decode(frame.removeprefix(MARK), type=Mark)
        with Journal.open(engine.folder / "state" / "journal.db") as journal:
            assert 1 == journal.last_seq
            tape.append([MARK + encode(replace(marked, journal_seq=1, journal_seed=journal.seed))])
        ack = SignalAck("key", "accepted", signal_id="lost")
        tape.append([topics.cell("one") + encode(CellCommand(1, Acked(ack, 2), 2))])

    cell.close()
    engine = EngineProcess(engine.folder)
    with ended(engine, publisher):
        [event] = engine.events("tape_renumbered")
        assert "the journal ends at 1, and the tape tells of records up to 2" in event.detail
        configured(engine)
        living = engine.attach()
        back = living.run(tape=welcome.tape)
        assert (back.resumes, back.tape != welcome.tape) == (False, True)
        living.close()


def test_a_timer_that_was_set_before_the_engine_died_fires_once(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    start = whole_seconds(engine)
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    cell.say(Schedule("soon", start + 2 * S, 3 * S))
    send_tick(publisher, "X", start + 3 * S, 100.0, seq=2)
    cell.wait_heard(TimerFired)
    cell.close()
    engine = again(engine)
    with ended(engine, publisher):
        configured(engine)
        assert publisher.wait_for_subscriber(10)
        living = engine.attach()
        living.run(tape=welcome.tape)
        living.say(Schedule("soon", start + 2 * S, 3 * S))  # as a cell says again what it had asked for
        living.ask(intent="exit_all")  # that was heard before the next tick
        send_tick(publisher, "X", start + 9 * S, 100.0, seq=3)
        living.wait_heard(TimerFired, lambda t: t.ts == start + 8 * S)
        frames, _ = living.missed(0)
        fired = [m.body for _, m in frames if isinstance(m, CellCommand) and isinstance(m.body, TimerFired)]
        assert [TimerFired("soon", start + n * S) for n in (2, 5, 8)] == fired
        living.close()


def test_a_timer_of_before_an_operators_start_is_forgotten_though_the_engine_died_at_once(
    engine: EngineProcess,
) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    start = whole_seconds(engine)
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    cell.say(Schedule("old", start + 2 * S))
    cell.ask(intent="exit_all")  # that was heard
    cell.close()
    cell = engine.attach(generation=2, begun=2)
    cell.run()
    cell.close()
    engine = again(engine)
    with ended(engine, publisher):
        configured(engine)
        assert publisher.wait_for_subscriber(10)
        living = engine.attach(generation=3, begun=2)
        living.run()
        living.say(Schedule("new", start + 2 * S))
        living.ask(intent="exit_all")
        send_tick(publisher, "X", start + 3 * S, 100.0, seq=2)
        wait_until(living.ticks, what="a tick")
        assert ["new"] == [m.name for m in living.heard if isinstance(m, TimerFired)]
        living.close()


def test_a_timer_fires_in_its_place_though_the_engine_died_and_the_cell_is_not_back(
    engine: EngineProcess,
) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    start = whole_seconds(engine)
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    cell.say(Schedule("soon", start + 2 * S))
    cell.ask(intent="exit_all")  # that was heard
    cell.close()
    engine = again(engine)
    with ended(engine, publisher):
        configured(engine)
        assert publisher.wait_for_subscriber(10)
        living = engine.attach()
        living.run()
        send_tick(publisher, "X", start + 3 * S, 100.0, seq=2)
        living.wait_heard(TimerFired)
        wait_until(living.ticks, what="a tick")
        heard = [type(m) for m in living.heard if isinstance(m, TimerFired | Ticks)]
        assert [TimerFired, Ticks] == heard
        living.close()


def test_of_a_deployment_that_was_removed_no_number_goes_on_to_one_of_its_name(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    cell.ask(intent="exit_all")
    cell.say(Schedule("old", whole_seconds(engine)))
    cell.ask(intent="exit_all")  # that was heard
    cell.close()
    engine.tell(Detach("one", 1))
    engine.tell(Forget("one"))
    other = engine.attach("other")
    other.run()  # so that is done
    other.close()
    engine = again(engine)
    with ended(engine, publisher):
        configured(engine)
        living = engine.attach()
        assert 0 == living.run().position["to|one|"]
        living.ask(intent="exit_all")
        frames, _ = living.missed(living.heard[0].at)
        assert [1] == [m.seq for _, m in frames if isinstance(m, CellCommand)]
        assert publisher.wait_for_subscriber(10)
        send_tick(publisher, "X", time.time_ns(), 100.0, seq=1)
        wait_until(living.ticks, what="a tick")
        assert [] == [m for m in living.heard if isinstance(m, TimerFired)]
        living.close()


def test_warm_up_reaches_back_before_the_engine_started(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    start = whole_seconds(engine)
    for number in range(8):
        send_tick(publisher, "X", start + number * S, 100.0 + number, seq=number + 1)
    wait_until(lambda: len(cell.ticks()) == 8, what="8 ticks")
    cell.close()
    assert 0 == engine.stop()
    engine = EngineProcess(engine.folder)
    with ended(engine, publisher):
        configured(engine)
        other = engine.attach("other", timeframes=["1s"], warmup=5)
        welcome = other.run()
        assert [start + n * S for n in range(2, 7)] == [candle.open_time for candle in welcome.warmup]
        other.close()


def test_a_tape_that_nobody_can_go_on_from_is_moved_aside_and_told(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()
    cell.close()
    engine.kill()
    folder = engine.folder / "state" / "tape"
    for segment in folder.glob("*.tape"):
        segment.unlink()
    (folder / "00000000000000000000.tape").touch()
    with Tape.open(folder) as tape:
        tape.append([b"mark||of another version"])
    engine = EngineProcess(engine.folder)
    with ended(engine, publisher):
        assert 1 == len(engine.events("tape_quarantined"))
        assert (engine.folder / "state" / "tape.damaged-1").is_dir()
        configured(engine)
        living = engine.attach()
        back = living.run(tape=welcome.tape)
        assert (back.resumes, back.tape != welcome.tape) == (False, True)
        living.close()
