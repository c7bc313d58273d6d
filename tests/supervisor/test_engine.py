"""The engine as a real process: what goes in comes out once, in order, checked, journalled."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Literal

import msgspec
import pytest
import zmq

from bus import topics
from bus.messages import (
    Acked,
    Bye,
    Candles,
    Checkpoint,
    Pause,
    Pulse,
    Resume,
    Stop,
    TakeCheckpoint,
    Ticks,
    Welcome,
)
from supervisor.control import CellSaid, Configure, Detach, Direct, EngineEvent, EngineStats
from tests.supervisor.engine_harness import EngineProcess, FakeCell, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system
S = 1_000_000_000


def test_every_tick_reaches_the_cell_once_and_in_order(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    start = time.time_ns()
    for number in range(2000):
        send_tick(publisher, "X", start + number, 100.0 + number % 7, seq=number + 1)
    wait_until(lambda: len(cell.ticks()) == 2000, what="2,000 ticks")
    assert list(range(1, 2001)) == [tick.seq for tick in cell.ticks()]
    batches = [m for m in cell.heard if isinstance(m, Ticks)]
    assert [b.seq for b in batches] == [
        1 + sum(len(b.ticks) for b in batches[:n]) for n in range(len(batches))
    ]
    row = engine.wait_row("one", lambda r: r.published == 2000)
    assert 2000 == row.published
    publisher.close()
    cell.close()


def test_candles_of_a_quiet_symbol_close_without_a_further_tick(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach(timeframes=["1s", "2s"])
    cell.run()
    # A two-second boundary that lies ahead, so that the first whole candle of both is the next one.
    start = (time.time_ns() // (2 * S)) * 2 * S
    send_tick(publisher, "X", start + 1, 100.0)
    closed = wait_until(
        lambda: [
            c for m in cell.listen() if isinstance(m, Candles) for c in m.candles if c.timeframe == "2s"
        ],
        what="a 2s candle",
        timeout=10,
    )
    assert (True, 0.0) == (closed[0].synthetic, closed[0].volume)
    publisher.close()
    cell.close()


def test_a_signal_is_accepted_filled_at_the_next_tick_and_published(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    out = context.socket(zmq.SUB)
    out.subscribe(b"signal.")
    out.connect(f"ipc://{engine.folder}/run/signals.out")
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="the first tick")
    ack = cell.ask(data_as_of=now, data_key=1)
    assert ("accepted", "") == (ack.decision, ack.rule)
    send_tick(publisher, "X", now + 1000, 101.0, seq=2)
    (filled,) = cell.wait_filled()
    assert (1.0, 101.01) == (filled.fill.quantity, pytest.approx(filled.fill.price))
    assert 1.0 == filled.position.quantity
    assert out.poll(60_000)
    topic, payload = out.recv_multipart()
    accepted = msgspec.msgpack.decode(payload)
    assert b"signal.one" == topic
    assert ("one", "X", ack.signal_id) == (
        accepted["deployment_id"],
        accepted["symbol"],
        accepted["signal_id"],
    )
    out.close(0)
    context.term()
    publisher.close()
    cell.close()


def test_a_consumer_that_was_away_asks_for_what_it_missed(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    first = cell.ask(data_as_of=now, data_key=1)
    second = cell.ask(data_as_of=now, data_key=2)
    with zmq.Context() as context, context.socket(zmq.REQ) as asker:
        asker.setsockopt(zmq.LINGER, 0)
        asker.setsockopt(zmq.RCVTIMEO, 5000)
        asker.connect(f"ipc://{engine.folder}/run/signals.replay")
        asker.send(msgspec.msgpack.encode([0]))
        signals = msgspec.msgpack.decode(asker.recv())
        assert [first.signal_id, second.signal_id] == [s["signal_id"] for s in signals]
        asker.send(msgspec.msgpack.encode([signals[0]["seq"] + 1]))
        assert [second.signal_id] == [s["signal_id"] for s in msgspec.msgpack.decode(asker.recv())]
        asker.send(msgspec.msgpack.encode([2**64 - 1]))  # more than SQLite counts
        assert [] == msgspec.msgpack.decode(asker.recv())
    publisher.close()
    cell.close()


def test_an_instance_that_is_announced_again_while_it_runs_is_left_as_it_is(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    for number in range(3):
        send_tick(publisher, "X", now + number, 100.0)
    engine.wait_row("one", lambda row: row.published == 3)
    engine.tell(cell.attach)
    send_tick(publisher, "X", now + 3, 100.0)
    engine.wait_row("one", lambda row: row.published == 4)
    publisher.close()
    cell.close()


def test_a_cell_may_read_thousands_of_symbols(engine: EngineProcess) -> None:
    symbols = [f"S{number}" for number in range(3000)]
    publisher, cell = engine.feed(), engine.attach(symbols=symbols)
    cell.run()
    send_tick(publisher, symbols[-1], time.time_ns(), 100.0)
    wait_until(cell.ticks, what="a tick of the last symbol")
    publisher.close()
    cell.close()


def test_the_same_signal_twice_is_a_duplicate_also_after_a_kill(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path)
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    assert "accepted" == cell.ask(data_as_of=now, data_key=1).decision
    assert "duplicate" == cell.ask(data_as_of=now, data_key=1).decision
    publisher.close()
    cell.close()
    engine.kill()

    engine = EngineProcess(tmp_path)
    publisher, cell = engine.feed(), engine.attach(generation=2)
    cell.run()
    send_tick(publisher, "X", now + 1000, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    assert "duplicate" == cell.ask(data_as_of=now, data_key=1).decision
    (filled,) = cell.wait_filled()
    assert 1.0 == filled.position.quantity
    assert (1, 0, 2, 0) == msgspec.structs.astuple(
        engine.wait_row("one", lambda r: r.counts.duplicate == 2).counts
    )
    publisher.close()
    cell.close()
    assert 0 == engine.stop()


def test_a_wrong_token_is_refused_and_told(engine: EngineProcess) -> None:
    cell = engine.attach()
    thief = FakeCell(engine, cell.attach, token="guessed")
    engine.wait_news(EngineEvent, lambda e: e.kind == "connection_refused")
    assert [] == thief.listen()
    thief.close()
    cell.run()
    cell.close()


def test_a_newer_generation_fences_the_older_one_out(engine: EngineProcess) -> None:
    publisher, old = engine.feed(), engine.attach(generation=1)
    old.run()
    now = time.time_ns()
    new = engine.attach(generation=2)
    new.run()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(new.ticks, what="a tick")
    for _ in range(500):
        old.beat()
    event = engine.wait_news(EngineEvent, lambda e: e.kind == "report_fenced")
    assert ("one", 1) == (event.deployment_id, event.generation)
    assert "accepted" == new.ask(data_as_of=now, data_key=1).decision
    # Told once: a fenced cell cannot fill the log of events, which is a database.
    assert 1 == len(engine.events("report_fenced"))
    for each in (publisher, old, new):
        each.close()


def test_a_cell_that_is_back_before_it_is_announced_to_a_new_engine_is_heard_once_it_is(
    tmp_path: Path,
) -> None:
    """libzmq never connects again after a refusal that is final (status 400 of ZAP)."""
    old = EngineProcess(tmp_path)
    cell = old.attach()
    cell.run()
    old.kill()
    new = EngineProcess(tmp_path)
    refused = new.wait_news(EngineEvent, lambda e: e.kind == "connection_refused")
    assert refused.detail == "'one:1' has no right to connect"
    new.tell(cell.attach)
    cell.heard.clear()
    cell.run()
    new.wait_news(CellSaid, lambda s: s.word == "running")
    assert len(new.events("connection_refused")) == 1, "told once, not at every try"
    cell.close()
    assert new.stop() == 0


def test_a_report_that_does_not_decode_is_refused_by_name_and_stops_nothing(engine: EngineProcess) -> None:
    cell = engine.attach()
    cell.run()
    cell.link.send(b"\xc1 not a report")
    event = engine.wait_news(EngineEvent, lambda e: e.kind == "report_refused")
    assert "one" == event.deployment_id
    cell.beat(ticks=7)
    assert 7 == engine.wait_row("one", lambda r: r.stats.ticks).stats.ticks
    cell.close()


def test_pause_bars_the_gate_before_the_cell_hears_of_it(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    engine.tell(Direct("one", 1, "pause", "lunch"))
    assert "lunch" == cell.wait_heard(Pause).reason
    ack = cell.ask(data_as_of=now, data_key=1)
    assert ("rejected", "paused") == (ack.decision, ack.rule)
    engine.tell(Direct("one", 1, "resume", ""))
    cell.wait_heard(Resume)
    assert "accepted" == cell.ask(data_as_of=now, data_key=2).decision
    engine.tell(Direct("one", 1, "stop", "enough"))
    assert "enough" == cell.wait_heard(Stop).reason
    cell.say(Bye(cell_stats()))
    engine.wait_news(CellSaid, lambda s: s.word == "bye")
    for each in (publisher, cell):
        each.close()


@pytest.mark.parametrize(("verbs", "last"), [(["pause"], Pause), (["pause", "resume"], Resume)])
def test_what_was_directed_before_a_cell_ran_is_said_to_it_once_it_runs(
    engine: EngineProcess, verbs: list[Literal["pause", "resume"]], last: type
) -> None:
    cell = engine.attach()
    for verb in verbs:
        engine.tell(Direct("one", 1, verb, "lunch"))
    cell.run()

    def after_the_welcome() -> list[type]:
        said = [type(command) for command in cell.commands()]
        return [kind for kind in said[said.index(Welcome) :] if kind not in {Welcome, TakeCheckpoint}]

    wait_until(after_the_welcome, what="a command")
    assert [last] == after_the_welcome()
    cell.close()


def test_a_cell_that_runs_is_asked_for_its_state_again_and_again(engine: EngineProcess) -> None:
    engine.tell(Configure([], checkpoint_every=1.0))
    cell, silent = engine.attach(), engine.attach("silent")
    welcome = cell.run()

    def asked(times: int) -> bool:
        return len([c for c in cell.commands() if isinstance(c, TakeCheckpoint)]) >= times

    wait_until(lambda: asked(1), what="the first request, at once")
    cell.say(Checkpoint(b"\x80", 1, welcome.epoch, welcome.position))
    wait_until(lambda: asked(2), what="the second request")
    assert [] == silent.commands()
    for each in (cell, silent):
        each.close()


def test_a_checkpoint_comes_back_in_the_welcome_of_the_next_generation(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    first = cell.run()
    assert (b"", False) == (first.state, first.recovered)
    cell.say(Checkpoint(b"\x81\xa1n\x07", 3, first.epoch, {"tick|X|": 0}))
    cell.say(Bye(cell_stats()))
    engine.wait_news(CellSaid, lambda s: s.word == "bye")
    engine.tell(Detach("one", 1))
    again = engine.attach(generation=2)
    welcome = again.run()
    assert (b"\x81\xa1n\x07", 3, True) == (welcome.state, welcome.state_version, welcome.recovered)
    for each in (publisher, cell, again):
        each.close()


def test_warm_up_begins_where_live_data_ends(engine: EngineProcess) -> None:
    publisher, early = engine.feed(), engine.attach()
    early.run()
    start = (time.time_ns() // S) * S - 20 * S
    for number in range(80):
        send_tick(publisher, "X", start + number * S // 4, 100.0 + number, seq=number + 1)
    wait_until(lambda: len(early.ticks()) == 80, what="80 ticks")
    late = engine.attach("two", symbols=["X"], warmup=5)
    welcome = late.run()
    assert ["1s"] * 5 == [c.timeframe for c in welcome.warmup]
    send_tick(publisher, "X", start + 20 * S, 200.0, seq=81)
    first = wait_until(
        lambda: next((m for m in late.listen() if isinstance(m, Ticks)), None), what="a live tick"
    )
    assert welcome.position["tick|X|"] + 1 == first.seq  # type: ignore[union-attr]
    closed = next(m for m in late.listen() if isinstance(m, Candles))
    assert welcome.position["candle|X|"] + 1 == closed.seq
    assert welcome.warmup[-1].close_time == closed.candles[0].open_time
    for each in (publisher, early, late):
        each.close()


def test_two_feeds_never_mix_in_one_symbol(engine: EngineProcess) -> None:
    cell = engine.attach()
    cell.run()
    from supervisor.control import Configure, FeedSpec

    endpoints = {name: f"ipc://{engine.folder}/feed-{name}" for name in ("a", "b")}
    from bus.sockets import Publisher

    first, second = (Publisher(endpoint) for endpoint in endpoints.values())
    engine.tell(Configure([FeedSpec(name=n, endpoint=e) for n, e in endpoints.items()]))
    assert first.wait_for_subscriber(5)
    assert second.wait_for_subscriber(5)
    now = time.time_ns()
    send_tick(first, "X", now, 100.0)
    wait_until(cell.ticks, what="a tick of the first feed")
    send_tick(second, "X", now + 1, 999.0)
    event = engine.wait_news(EngineEvent, lambda e: e.kind == "feed_conflict")
    assert "feed b: X" in event.detail
    assert [100.0] == [tick.last for tick in cell.ticks()]
    for each in (first, second, cell):
        each.close()


def test_bad_frames_are_counted_by_reason_and_the_feed_goes_on(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    publisher.send_frames([b"tick.X", b"\xc1"])
    publisher.send_frames([b"what", b"is", b"this"])
    publisher.send_frames([b"\x80\x05\x95pickle."])
    send_tick(publisher, "X", now, -1.0)
    send_tick(publisher, "X", now, 100.0)
    wait_until(cell.ticks, what="the good tick")
    stats = engine.wait_news(EngineStats, lambda s: s.feeds and sum(s.feeds[0].rejected.values()) == 4)
    assert 4 == sum(stats.feeds[0].rejected.values())
    assert 1 == stats.feeds[0].ticks
    for each in (publisher, cell):
        each.close()


def test_a_pulse_comes_every_second_with_the_last_sequences(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    pulse = cell.wait_heard(Pulse, lambda p: p.last.get("tick|X|") == 1)
    assert engine.ready.epoch == pulse.epoch
    for each in (publisher, cell):
        each.close()


def test_the_engine_ends_when_its_supervisor_is_gone(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path)
    engine.control.shutdown(2)
    assert 0 == engine.process.wait(60)
    assert engine.process.stderr is not None
    engine.process.stderr.close()
    engine.control.close()


def test_a_second_after_a_sigkill_everything_acknowledged_is_in_the_journal(tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path)
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    acked = [cell.ask(data_as_of=now, data_key=key).signal_id for key in range(1, 30)]
    os.kill(engine.process.pid, signal.SIGKILL)
    engine.end()
    for each in (publisher, cell):
        each.close()
    from supervisor.store.journal import Journal

    with Journal.open(tmp_path / "state" / "journal.db") as journal:
        assert acked == [s.signal_id for s in journal.accepted(0, 1000)]


def test_acks_carry_the_number_of_the_signal(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    now = time.time_ns()
    send_tick(publisher, "X", now, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    for key in (5, 6, 7):
        cell.ask(data_as_of=now, data_key=key)
    assert [1, 2, 3] == [m.ack.number for m in cell.heard if isinstance(m, Acked)]
    for each in (publisher, cell):
        each.close()


def cell_stats():
    from bus.messages import CellStats

    return CellStats(ticks=1)


def test_topics_of_this_file_are_those_of_the_contract() -> None:
    assert b"signal.one" == topics.signal("one")


def test_what_came_while_the_engine_stood_still_is_in_its_candle(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    cell.run()
    start = (time.time_ns() // S - 60) * S
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="the first tick")
    os.kill(engine.process.pid, signal.SIGSTOP)
    stopped_at = time.monotonic()
    for number in range(2, 10):
        send_tick(publisher, "X", start + number * S // 10, 100.0, seq=number)
    # Longer than the candle and its grace: by the elapsed time alone it would have been over.
    wait_until(lambda: time.monotonic() > stopped_at + 1.6, what="1.6 s")
    os.kill(engine.process.pid, signal.SIGCONT)
    closed = wait_until(
        lambda: [c for m in cell.listen() if isinstance(m, Candles) for c in m.candles] or None,
        what="a candle",
    )
    assert (start + S, 9) == (closed[0].close_time, closed[0].trades)  # type: ignore[index]
    assert [0] * 9 == [tick.flags for tick in cell.ticks()]
    publisher.close()
    cell.close()
