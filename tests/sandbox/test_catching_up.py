"""What a cell does about what it misses: its strategy sees what is on the tape, each message once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import topics
from bus.messages import Acked, Candle, FeedStatus, Pause, Pulse, Replayed, Resume, SignalAck, Stop, encode
from sandbox import backlog as backlog_module
from sandbox import intake as intake_module
from sandbox.catching_up import HURRY, NEXT, PATIENCE, CatchingUp, News, Stage
from tests.sandbox.tape_world import CELL, TAPE, TapedCell, TapeEngine, as_taped

SYMBOLS = st.sampled_from("XY")


def market(lost: st.SearchStrategy[bool]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.one_of(
        st.tuples(st.just("ticks"), SYMBOLS, st.integers(1, 4), lost),
        st.tuples(st.just("candle"), SYMBOLS, st.sampled_from(["1m", "5m"]), lost),
        st.tuples(st.just("ack"), lost),
        st.tuples(st.just("status")),
        st.tuples(st.just("pulse"), lost),
    )


CELLS = st.one_of(
    st.tuples(st.just("receive"), st.integers(1, 6)),
    st.tuples(st.just("talk"), st.booleans()),
    st.tuples(st.just("turn"), st.integers(1, 5)),
    st.tuples(st.just("wait")),
    st.tuples(st.just("save")),
)
RESTART = st.tuples(st.just("restart"), st.booleans())
PAUSES = st.tuples(st.sampled_from(["pause", "resume"]))


class Run:
    """One engine and one cell; ``saved`` are checkpoints: (what was seen, position, at, paused)."""

    def __init__(self, backlog: int, piece: int) -> None:
        self.engine = TapeEngine(piece)
        self.cell = TapedCell(self.engine, backlog=backlog)
        self.saved: list[tuple[list[Any], dict[str, int], int, bool]] = []

    def do(self, step: tuple[Any, ...]) -> None:
        engine, cell = self.engine, self.cell
        match step:
            case ("ticks", symbol, count, lost):
                engine.ticks(symbol, count, lost=lost)
            case ("candle", symbol, timeframe, lost):
                engine.candle(symbol, timeframe, lost=lost)
            case ("ack", lost):
                engine.ack(lost=lost)
            case ("pause",):
                engine.numbered(Pause("lunch"))
            case ("resume",):
                engine.numbered(Resume())
            case ("status",):
                engine.status()
            case ("pulse", lost):
                engine.pulse(lost=lost)
            case ("restart", lost):
                engine.epoch += 1
                if lost:
                    engine.wire.clear()
                engine.pulse()
            case ("receive", count):
                cell.receive(count)
            case ("talk", lost):
                cell.talk(lost=lost)
            case ("turn", size):
                cell.turn(size)
            case ("wait",):
                cell.now += PATIENCE
            case ("save",):
                self.save()

    def save(self) -> None:
        handed = self.cell.intake.handed
        if self.cell.running:
            self.saved.append((list(self.cell.seen), self.cell.intake.position(), handed.at, handed.paused))

    def finish(self) -> None:
        self.engine.pulse()
        self.cell.settle()


def begun(backlog: int = 1000, piece: int = 5) -> Run:
    run = Run(backlog, piece)
    run.cell.settle()
    assert run.cell.intake.live
    return run


def by_topic(seen: list[Any]) -> dict[Any, list[Any]]:
    """Group what was seen as it was numbered."""
    found: dict[Any, list[Any]] = {}
    for one in seen:
        found.setdefault(one[:-1], []).append(one)
    return found


def check(run: Run, backlog: int, order: Callable[[list[Any]], Any]) -> None:
    """Compare what was seen with the tape, and so from every checkpoint on."""
    expected = order(as_taped(run.engine))
    assert expected == order(run.cell.seen)
    assert (0, 0) == (run.cell.intake.gaps, run.cell.intake.backlog.conflated)
    for seen, position, at, paused in run.saved:
        facts = {"position": position, "at": at, "paused": paused, "resumes": True}
        again = TapedCell(run.engine, backlog=backlog, **facts)
        again.settle()
        assert expected == order(seen + again.seen)
        assert 0 == again.intake.gaps


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(market(st.booleans()), CELLS, CELLS, RESTART), min_size=20, max_size=150),
    st.integers(1, 20),
    st.integers(1, 8),
)
def test_whatever_is_lost_a_strategy_sees_each_topic_in_order_and_each_message_once(steps, backlog, piece):
    run = begun(backlog, piece)
    for step in steps:
        run.do(step)
    run.finish()
    check(run, backlog, by_topic)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(market(st.just(False)), PAUSES, CELLS, CELLS, RESTART), min_size=20, max_size=150),
    st.integers(1, 20),
    st.integers(1, 8),
)
def test_over_restarts_of_either_side_pauses_and_full_queues_it_sees_the_tape(steps, backlog, piece):
    """But for what only a lossy socket does, the order of all topics together is the tape's."""
    run = begun(backlog, piece)
    for step in steps:
        run.do(step)
    run.finish()
    check(run, backlog, list)


# ---- one rule at a time ----------------------------------------------------------------------------
def test_every_stage_hears_what_can_happen_in_it_and_nothing_else():
    assert set(NEXT) == set(Stage)
    progress = CatchingUp()
    with pytest.raises(KeyError):
        progress.hear(News.DONE, 0.0)
    assert Stage.COLD == progress.stage


def test_a_question_is_asked_once_again_after_a_second_and_only_its_own_answer_is_one():
    run = begun()
    run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    run.cell.receive()
    intake = run.cell.intake
    assert [0, None] == [intake.question(5.0), intake.question(5.0 + PATIENCE / 2)]
    assert 0 == intake.question(5.0 + PATIENCE)
    run.engine.moment(Replayed([], 9, done=True, since=7))  # of an older question
    run.cell.receive()
    assert Stage.CATCHING_UP == intake.stage
    assert [("catch_up", "1 missing: tick|X| from 1")] == intake.notes


def test_a_topic_whose_first_message_was_lost_is_missed_by_the_pulse():
    run = begun()
    run.engine.ticks("Y", lost=True)
    run.engine.ack(lost=True)
    run.finish()
    assert [("tick", "Y", 1.0), ("command", 1)] == run.cell.seen


def test_what_no_tape_has_is_a_gap_and_is_not_asked_for_again_and_again():
    run = begun()
    run.engine.ticks("X", 3)
    run.engine.ticks("X")
    run.engine.wire.clear()
    del run.engine.tape[0]
    run.engine.tape.insert(0, topics.PULSE + encode(Pulse(1, 1, {})))
    run.finish()
    assert [("tick", "X", 4.0)] == run.cell.seen
    assert 0 == run.cell.intake.gaps  # the first of a topic: whether it had any before, nobody can say
    run.engine.last["tick|X|"] = 9  # announced, and never published
    run.finish()
    assert (5, Stage.LIVE) == (run.cell.intake.gaps, run.cell.intake.stage)


def test_a_tape_that_is_too_short_begins_at_the_present_and_makes_candles_up():
    run = begun()
    run.engine.candle("X")
    run.cell.settle()
    run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    run.engine.begin = 100
    warm = [Candle("X", "1m", n, n + 1, 1.0, 1.0, 1.0, 1.0, 1.0) for n in (1, 2, 3)]
    run.cell.receive()
    assert 0 == run.cell.intake.question(50.0)
    run.engine.hello(0, warmup=warm)  # the answer
    run.engine.ticks("X")
    run.cell.settle()
    assert [("candle", "X", 2), ("candle", "X", 3), ("candle", "X", 4), ("tick", "X", 3.0)] == run.cell.seen
    assert 1 == run.cell.intake.gaps
    assert (
        "gap",
        "1 missing: the tape does not reach back so far; candles are made up from the warm-up",
    ) in (run.cell.intake.notes)
    assert {"candle|X|": 1, "tick|X|": 3} == run.cell.intake.position()


def test_another_tape_numbers_what_a_checkpoint_holds_only_once_that_is_all_of_its_numbering():
    run = begun()
    run.engine.ticks("X", 5)
    run.cell.receive()  # waits
    run.engine.identity, run.engine.epoch = TAPE + 1, 2
    run.engine.last["tick|X|"] = 1
    run.engine.tape.clear()
    run.engine.pulse()
    run.cell.receive()
    run.cell.talk()
    run.cell.receive()
    handed = run.cell.intake.handed
    run.cell.turn(1)
    assert (TAPE, TAPE + 1) == (handed.tape, run.cell.intake.tape)
    run.cell.settle()
    assert (TAPE + 1, {"tick|X|": 1}) == (handed.tape, run.cell.intake.position())
    assert [("tick", "X", float(n)) for n in range(1, 6)] == run.cell.seen


def test_a_verdict_for_another_instance_counts_only_where_its_state_goes_on():
    engine = TapeEngine()
    fresh = TapedCell(engine)
    fresh.settle()
    engine.numbered(Acked(SignalAck("k", "accepted", number=1)), generation=0)
    engine.ack()
    fresh.settle()
    assert ([("command", 2)], {CELL.decode(): 2}) == (fresh.seen, fresh.intake.position())
    heir = TapedCell(engine, position={}, at=0, resumes=True)
    heir.settle()
    assert [("command", 1), ("command", 2)] == heir.seen


def test_candles_that_overflow_a_pause_come_from_the_tape_before_the_resume(monkeypatch):
    monkeypatch.setattr(backlog_module, "CANDLE_QUEUE", 3)
    run = begun()
    run.engine.numbered(Pause("long"))
    for _ in range(10):
        run.engine.candle("X")
        run.engine.ticks("X")
        run.engine.pulse()
    run.cell.settle()
    assert [("command", 1)] == run.cell.seen
    at, position = run.cell.intake.handed.at, run.cell.intake.position()
    assert (0, {"to|a|": 1, "tick|X|": 10}) == (at, position)
    run.engine.numbered(Resume())
    run.cell.settle()
    assert [("candle", "X", n) for n in range(2, 12)] == run.cell.seen[1:-1]
    assert (0, ("command", 2)) == (run.cell.intake.gaps, run.cell.seen[-1])


def test_a_slow_strategy_whose_ticks_may_be_conflated_is_live_again_in_the_end():
    engine = TapeEngine(piece=5)
    cell = TapedCell(engine, backlog=4, conflate=True)
    cell.settle()
    for _ in range(40):
        engine.ticks("X")
    engine.wire.clear()
    engine.pulse()
    for _ in range(60):  # it takes no turn at all
        cell.now += 1.0
        cell.receive()
        cell.talk()
    assert cell.now > HURRY
    assert cell.intake.live
    assert cell.intake.backlog.conflated > 30
    cell.settle()
    assert ("tick", "X", 40.0) == cell.seen[-1]
    assert 0 == cell.intake.gaps


@pytest.mark.parametrize("conflate", [False, True])
def test_a_strategy_that_takes_nothing_is_not_buried_under_what_the_tape_has(monkeypatch, conflate):
    """Candles and commands are never conflated, so in a hurry neither is more of them asked for."""
    monkeypatch.setattr(backlog_module, "CANDLE_QUEUE", 10)
    engine = TapeEngine(piece=5)
    cell = TapedCell(engine, backlog=4, conflate=conflate)
    cell.settle()
    for _ in range(200):
        engine.ack()
        engine.candle("X")
    engine.wire.clear()
    engine.pulse()
    for _ in range(100):  # it takes no turn at all
        cell.now += 1.0
        cell.receive()
        cell.talk()
    assert cell.now > HURRY
    assert len(cell.intake.backlog) <= 10 + 5 + 1
    assert cell.intake.question(cell.now + 10.0) is None
    cell.settle()
    assert [n for kind, *_, n in cell.seen if kind == "command"] == list(range(1, 201))
    assert [n for kind, *_, n in cell.seen if kind == "candle"] == list(range(2, 202))
    assert 0 == cell.intake.gaps


def test_a_strategy_that_is_slow_and_wants_every_tick_gets_every_tick():
    engine = TapeEngine(piece=5)
    cell = TapedCell(engine, backlog=4)
    cell.settle()
    for _ in range(40):
        engine.ticks("X")
        cell.receive()
        cell.talk()
        assert len(cell.intake.backlog) <= 4 + 1
    cell.settle()
    assert [("tick", "X", float(n)) for n in range(1, 41)] == cell.seen
    assert ("catch_up", "more waits than the backlog holds") in cell.intake.notes


def test_a_pause_is_saved_and_while_it_lasts_the_position_moves_on_over_ticks():
    run = begun()
    run.engine.ticks("X")
    run.engine.numbered(Pause("lunch"))
    run.engine.ticks("X", 2)
    run.cell.receive()
    assert "checkpoint" == run.cell.turn()
    assert (True, {"tick|X|": 1, "to|a|": 1}) == (run.cell.intake.handed.paused, run.cell.intake.position())
    run.cell.settle()
    assert {"tick|X|": 3, "to|a|": 1} == run.cell.intake.position()


def test_a_cell_whose_state_is_of_a_pause_begins_paused():
    engine = TapeEngine()
    engine.numbered(Pause("lunch"))
    engine.ticks("X")
    engine.candle("X")
    cell = TapedCell(engine, position={"to|a|": 1}, at=1, resumes=True, paused=True)
    cell.settle()
    assert [] == cell.seen
    engine.numbered(Resume())
    cell.settle()
    assert [("candle", "X", 2), ("command", 2)] == cell.seen


def test_a_stop_ends_the_catching_up():
    run = begun()
    run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    run.engine.moment(Stop("enough"))
    run.cell.receive()
    assert (None, "stop") == (run.cell.intake.question(5.0), run.cell.turn())


def test_an_engine_that_dies_while_a_cell_catches_up_is_asked_anew():
    run = begun()
    run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    run.cell.receive()
    assert Stage.CATCHING_UP == run.cell.intake.stage
    run.do(("restart", True))
    run.cell.receive()
    assert Stage.GREETING == run.cell.intake.stage
    run.finish()
    assert [("tick", "X", 1.0), ("tick", "X", 2.0)] == run.cell.seen
    assert ["running"] == run.cell.said


def test_two_words_on_a_feed_at_one_instant_are_two_and_each_is_told_once():
    run = begun()
    for state in ("gap", "healthy"):
        run.engine.publish(topics.feed("f"), FeedStatus("f", state, 5), lost=True)
    run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    run.finish()
    run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    run.finish()
    assert [("feed", 5), ("feed", 5)] == [one for one in run.cell.seen if one[0] == "feed"]


def test_a_state_is_saved_on_the_way_and_each_time_further_on(monkeypatch):
    monkeypatch.setattr(intake_module, "SAVE_AFTER", 500)
    run = begun()
    for _ in range(100):
        run.engine.ticks("X", lost=True)
    run.engine.ticks("X")

    def positions() -> list[int]:
        run.cell.receive()
        run.cell.talk()
        run.cell.receive()
        found = []
        while (ends := run.cell.turn()) is not None:
            if ends == "checkpoint":
                found.append(run.cell.intake.position()["tick|X|"])
        return found

    found = [at for _ in range(100) for at in positions()]
    assert Stage.LIVE == run.cell.intake.stage
    assert (found, len(found) > 5) == (sorted(set(found)), True)
    # A large state is saved more rarely, since the engine has to write all of it.
    run.cell.intake.state_bytes = 10**6
    for _ in range(100):
        run.engine.ticks("X", lost=True)
    run.engine.ticks("X")
    assert [] == [at for _ in range(100) for at in positions()]
    assert Stage.LIVE == run.cell.intake.stage
