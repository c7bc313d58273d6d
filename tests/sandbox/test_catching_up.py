"""What a cell does about what it misses: its strategy sees what is on the tape, each message once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Pause, Resume
from sandbox.catching_up import PATIENCE
from tests.sandbox.tape_world import TapedCell, TapeEngine, as_taped

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
