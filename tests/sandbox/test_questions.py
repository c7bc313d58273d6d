"""Questions on their way through a warden's intake: one ends its turn, and none overtakes what was missed."""

from __future__ import annotations

from bus.messages import Commanded, Inspect, TakeCheckpoint
from sandbox.catching_up import Stage
from tests.sandbox.tape_world import TapedCell, TapeEngine, as_taped


def live() -> tuple[TapeEngine, TapedCell]:
    engine = TapeEngine()
    cell = TapedCell(engine)
    cell.settle()
    return engine, cell


def test_a_question_ends_its_turn_and_is_known_by_its_number():
    engine, cell = live()
    engine.ticks("X", 2)
    engine.numbered(Commanded("set", b"1", 7))
    engine.ticks("X", 1)
    engine.moment(TakeCheckpoint(8))
    engine.moment(Inspect(9))
    cell.receive()
    turns = []
    while (ends := cell.turn()) is not None:
        turns.append((ends, cell.intake.handed.request))
    assert [("question", 7), ("checkpoint", 8), ("question", 9)] == turns


def test_a_turn_that_nobody_asked_anything_in_has_no_number():
    engine, cell = live()
    engine.moment(Inspect(9))
    engine.ticks("X")
    cell.receive()
    cell.turn()
    assert ("", 0) == (cell.turn(), cell.intake.handed.request)


def test_while_it_is_told_what_it_missed_a_strategy_is_not_asked_to_show_itself():
    engine, cell = live()
    engine.ticks("X", lost=True)
    engine.numbered(Commanded("set", b"1", 7), lost=True)
    engine.ticks("X")  # which tells that something is missing
    cell.receive()
    assert Stage.CATCHING_UP == cell.intake.stage
    engine.moment(Inspect(9))
    cell.receive()
    assert [9] == cell.intake.unasked
    cell.settle()
    assert as_taped(engine) == cell.seen  # the command among them, in its place
    engine.moment(Inspect(10))
    cell.receive()
    assert ("question", 10) == (cell.turn(), cell.intake.handed.request)
    assert [9] == cell.intake.unasked
