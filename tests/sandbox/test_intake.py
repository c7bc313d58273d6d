from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bus import topics
from bus.messages import (
    Candle,
    Candles,
    CellCommand,
    FeedStatus,
    Pause,
    Pulse,
    Resume,
    Stop,
    TakeCheckpoint,
    Tick,
    Ticks,
    Welcome,
    encode,
)
from sandbox.handout import Batch
from sandbox.intake import Intake

EPOCH = 3
CELL = topics.cell("a")


def ticks(seq: int, *prices: float, epoch: int = EPOCH, symbol: str = "X") -> tuple[bytes, bytes]:
    batch = [Tick(symbol, seq + i, price) for i, price in enumerate(prices)]
    return topics.tick(symbol), encode(Ticks(epoch, seq, batch))


def candle(close_time: int, timeframe: str = "1m", symbol: str = "X") -> Candle:
    return Candle(symbol, timeframe, close_time - 1, close_time, 1.0, 1.0, 1.0, 1.0, 1.0)


def candles(seq: int, close_time: int, epoch: int = EPOCH, symbol: str = "X") -> tuple[bytes, bytes]:
    return topics.candle(symbol), encode(Candles(epoch, seq, close_time, [candle(close_time, symbol=symbol)]))


def command(body: Any, generation: int = 1) -> tuple[bytes, bytes]:
    return CELL, encode(CellCommand(generation, body))


def pulse(now: int, epoch: int = EPOCH, **last: int) -> tuple[bytes, bytes]:
    return topics.PULSE, encode(Pulse(epoch, now, {f"tick|{name}|": seq for name, seq in last.items()}))


def welcome(**position: int) -> tuple[bytes, bytes]:
    return command(Welcome(EPOCH, 1, position={f"tick|{name}|": seq for name, seq in position.items()}))


def warm(backlog: int = 1000, *, conflate: bool = True) -> Intake:
    intake = Intake(generation=1, backlog=backlog, conflate=conflate, timeframes=["1m", "60m"])
    intake.add([welcome()], 0.0)
    assert intake.next_turn(1000) is not None
    return intake


def turns(intake: Intake, size: int = 1000) -> list[Batch]:
    found = []
    while (batch := intake.next_turn(size)) is not None:
        found.append(batch)
    return found


def delivered(intake: Intake) -> list[Any]:
    """What the strategy sees: ("tick", price), ("candle", close time) or the type of a command."""
    seen: list[Any] = []
    for batch in turns(intake):
        for topic, payload in batch.events:
            if topic.startswith(b"tick"):
                seen += [("tick", t.last) for t in msgspec.msgpack.decode(payload, type=Ticks).ticks]
            elif topic.startswith(b"candle"):
                message = msgspec.msgpack.decode(payload, type=Candles)
                seen += [("candle", c.close_time) for c in message.candles]
            elif topic.startswith(b"to"):
                seen.append(type(msgspec.msgpack.decode(payload, type=CellCommand).body))
            else:
                seen.append(topic)
    return seen


def test_nothing_is_handed_out_before_the_welcome():
    intake = Intake(generation=1, backlog=10, conflate=True, timeframes=["1m", "60m"])
    intake.add([ticks(1, 1.0), candles(1, 5), pulse(1), command(Pause("x"))], 0.0)
    assert (intake.next_turn(10), intake.welcomed) == (None, False)


def test_the_welcome_ends_its_turn_and_counts_its_candles_as_calls():
    intake = Intake(generation=1, backlog=10, conflate=True, timeframes=["1m", "60m"])
    intake.add([command(Welcome(EPOCH, 1, warmup=[candle(1), candle(2)])), ticks(1, 1.0)], 0.5)
    batch = intake.next_turn(10)
    assert batch is not None
    assert (batch.ends, batch.calls, batch.oldest, len(batch.events)) == ("welcome", 4, 0.5, 1)


def test_a_repeated_welcome_and_one_for_another_generation_change_nothing():
    intake = warm()
    intake.add([welcome(X=50), command(Welcome(EPOCH, 1), generation=2), ticks(1, 1.0)], 0.0)
    assert delivered(intake) == [("tick", 1.0)]


def test_a_message_that_the_position_covers_in_part_is_cut():
    intake = Intake(generation=1, backlog=10, conflate=True, timeframes=["1m", "60m"])
    intake.add([welcome(X=3), ticks(1, 1.0, 2.0), ticks(3, 3.0, 4.0, 5.0)], 0.0)
    assert delivered(intake) == [Welcome, ("tick", 4.0), ("tick", 5.0)]
    assert (intake.gaps, intake.position()) == (0, {"tick|X|": 5})


def test_a_hole_is_counted_and_noted_once():
    intake = warm()
    intake.add([ticks(1, 1.0), ticks(5, 5.0), candles(1, 1), candles(3, 3)], 0.0)
    assert intake.gaps == 4
    assert intake.notes == [("gap", "3 missing: tick|X| from 2"), ("gap", "1 missing: candle|X| from 2")]


def test_a_topic_seen_for_the_first_time_has_no_gap():
    intake = warm()
    intake.add([ticks(900, 1.0, symbol="NEW")], 0.0)
    assert intake.gaps == 0


def test_a_pulse_finds_what_was_lost_at_the_end_and_is_handed_on_without_other_symbols():
    intake = warm()
    intake.add([ticks(1, 1.0), pulse(9, X=4, OTHER=77), pulse(10, X=4)], 0.0)
    assert intake.gaps == 3
    last = turns(intake)[0].events[-1][1]
    assert msgspec.msgpack.decode(last, type=Pulse) == Pulse(EPOCH, 10, {})


def test_order_is_that_of_arrival_across_topics():
    intake = warm()
    status = (topics.feed("f"), encode(FeedStatus("f", "stale", 1)))
    intake.add([ticks(1, 1.0), candles(1, 1), status, ticks(2, 2.0), command(TakeCheckpoint())], 0.0)
    assert delivered(intake) == [
        ("tick", 1.0), ("candle", 1), topics.feed("f"), ("tick", 2.0), TakeCheckpoint,
    ]  # fmt: skip


def test_paused_ticks_are_stale_and_candles_come_before_the_resume():
    intake = warm()
    intake.add([ticks(1, 1.0), command(Pause("x")), ticks(2, 2.0, 3.0), candles(1, 1)], 0.0)
    assert delivered(intake) == [("tick", 1.0), Pause, TakeCheckpoint]
    intake.add([candles(2, 2), command(Resume()), ticks(4, 4.0)], 1.0)
    assert delivered(intake) == [("candle", 1), ("candle", 2), Resume, ("tick", 4.0)]
    assert (intake.backlog.stale, intake.gaps) == (2, 0)


def test_behind_the_newest_tick_of_each_symbol_stays_and_every_candle():
    intake = warm(backlog=4)
    intake.add([ticks(1, 1.0, 2.0), candles(1, 1), ticks(1, 9.0, symbol="Y"), ticks(3, 3.0, 4.0)], 0.0)
    assert delivered(intake) == [("candle", 1), ("tick", 9.0), ("tick", 4.0)]
    assert (intake.backlog.conflated, intake.gaps) == (3, 0)
    assert intake.position() == {"tick|X|": 4, "candle|X|": 1, "tick|Y|": 1}


def test_without_conflation_the_oldest_ticks_are_lost_and_counted_as_a_gap():
    intake = warm(backlog=4, conflate=False)
    intake.add([ticks(n, float(n)) for n in range(1, 6)], 0.0)
    assert delivered(intake) == [("tick", 4.0), ("tick", 5.0)]
    assert (intake.backlog.conflated, intake.gaps) == (0, 3)
    assert intake.notes == [("gap", "3 messages too many waited: the oldest were dropped")]


def test_a_turn_is_cut_by_ticks_by_bytes_and_by_a_checkpoint():
    intake = warm(backlog=10_000)
    intake.add([ticks(1, 1.0), ticks(2, 2.0), ticks(3, 3.0)], 0.0)
    assert [batch.calls for batch in turns(intake, 2)] == [2, 1]
    intake.add([ticks(n, *[1.0] * 100) for n in range(4, 8004, 100)], 0.0)
    sizes = [sum(len(payload) for _, payload in batch.events) for batch in turns(intake, 100_000)]
    assert len(sizes) > 1
    assert max(sizes) <= 61_440
    intake.add([command(TakeCheckpoint()), ticks(8004, 1.0)], 0.0)
    first = intake.next_turn(10)
    assert first is not None
    assert (first.ends, len(first.events)) == ("checkpoint", 1)


def test_after_a_stop_nothing_is_taken():
    intake = warm()
    intake.add([command(Stop("x")), ticks(1, 1.0), command(Resume()), pulse(5)], 0.0)
    assert (delivered(intake), intake.stopping) == ([Stop], True)


def test_a_stop_before_the_welcome_is_handed_on():
    intake = Intake(generation=1, backlog=10, conflate=True, timeframes=["1m", "60m"])
    intake.add([command(Stop("x"))], 0.0)
    assert delivered(intake) == [Stop]


def test_another_run_of_the_engine_is_greeted_anew_and_its_sequences_begin_anew():
    intake = warm()
    intake.add([ticks(70, 1.0), candles(5, 10)], 0.0)
    assert delivered(intake) == [("tick", 1.0), ("candle", 10)]
    intake.add([candles(6, 20), ticks(71, 2.0), ticks(1, 9.0, epoch=EPOCH + 1)], 0.0)
    assert not intake.welcomed
    assert intake.notes == [("engine_restarted", "it goes on with the engine that was started again")]
    made_up = Welcome(EPOCH + 1, 1, [candle(10), candle(20), candle(30)], {"tick|X|": 1, "candle|X|": 2})
    intake.add([command(made_up), ticks(2, 3.0, epoch=EPOCH + 1)], 0.0)
    assert (intake.welcomed, intake.welcomed_again) == (True, True)
    # 20 waited already when the engine went; the host ignores a candle it knows
    before, after = [("candle", 20), ("tick", 2.0)], [("candle", 20), ("candle", 30), ("tick", 3.0)]
    assert delivered(intake) == [*before, Welcome, *after]
    assert intake.position() == {"tick|X|": 2, "candle|X|": 2}
    assert intake.gaps == 0


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=30),
    st.lists(st.integers(1, 9), min_size=30, max_size=30),
    st.integers(1, 50),
)
def test_however_messages_arrive_and_turns_are_cut_every_tick_is_seen_once_in_order(sizes, chunks, size):
    intake = warm(backlog=10_000)
    messages, seq = [], 1
    for count in sizes:
        messages.append(ticks(seq, *[float(seq + i) for i in range(count)]))
        seq += count
    seen: list[float] = []
    for chunk in chunks:
        intake.add(messages[:chunk], 0.0)
        messages = messages[chunk:]
        if (batch := intake.next_turn(size)) is not None:
            for _, payload in batch.events:
                seen += [t.last or 0.0 for t in msgspec.msgpack.decode(payload, type=Ticks).ticks]
    for batch in turns(intake, size):
        for _, payload in batch.events:
            seen += [t.last or 0.0 for t in msgspec.msgpack.decode(payload, type=Ticks).ticks]
    assert seen == [float(n) for n in range(1, seq)]
    assert (intake.handed.ticks, intake.gaps) == (seq - 1, 0)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=40), st.integers(1, 6))
def test_ticks_in_equal_ticks_out_and_conflated_whatever_the_backlog(steps, backlog):
    intake = warm(backlog=backlog)
    sent = {"X": 0, "Y": 0, "Z": 0}
    for count, which in steps:
        symbol = "XYZ"[which]
        intake.add([ticks(sent[symbol] + 1, *[1.0] * count, symbol=symbol)], 0.0)
        sent[symbol] += count
        if which == 2:
            intake.next_turn(5)
    turns(intake)
    assert intake.handed.ticks + intake.backlog.conflated == sum(sent.values())
    assert intake.position() == {f"tick|{symbol}|": last for symbol, last in sent.items() if last}


def test_candles_of_other_strategies_timeframes_are_neither_handed_out_nor_counted():
    intake = warm()
    batch = [candle(60, "1m"), candle(60, "5m"), candle(60, "1h")]
    others = [candle(65, "5s")]
    intake.add(
        [
            (topics.candle("X"), encode(Candles(EPOCH, 1, 60, batch))),
            (topics.candle("X"), encode(Candles(EPOCH, 2, 65, others))),
        ],
        0.0,
    )
    (turn,) = turns(intake)
    (event,) = turn.events
    seen = msgspec.msgpack.decode(event[1], type=Candles)
    assert ["1m", "1h"] == [c.timeframe for c in seen.candles]
    assert (3, 2, 0) == (turn.calls, intake.handed.candles, intake.gaps)
