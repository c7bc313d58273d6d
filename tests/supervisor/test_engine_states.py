"""Saved states in a real engine: asked for, bounded, refused, damaged, put back and dropped."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bus.messages import Bye, CellStats, Checkpoint, Hello, TakeCheckpoint, Welcome
from supervisor.control import CellSaid, ClearState, Detach, RefuseState, RestoreState, StateAnswer
from supervisor.store.journal_reader import JournalReader
from tests.supervisor.engine_harness import EngineProcess, FakeCell, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system
S = 1_000_000_000


def journal(engine: EngineProcess) -> Path:
    return engine.folder / "state" / "journal.db"


def kept(engine: EngineProcess, owner: str = "one") -> list[tuple[int, str]]:
    """Return number and fault of its checkpoints, the newest first."""
    with JournalReader.open(journal(engine)) as reader:
        return [(one.seq, one.refused) for one in reader.checkpoints(owner)]


def greet(cell: FakeCell) -> Welcome:
    """Say hello until welcome, and not yet that it runs."""

    def welcomed() -> Welcome | None:
        cell.say(Hello())
        return next((m for m in cell.listen() if isinstance(m, Welcome)), None)

    return wait_until(welcomed, what="the welcome")  # type: ignore[return-value]


class Lives:
    """Generations of one deployment, one after the other."""

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self.generation = 0
        self.cell: FakeCell | None = None

    def hello(self) -> Welcome:
        """Begin the next one, up to its welcome; it does not run yet."""
        self.end()
        self.generation += 1
        self.cell = self.engine.attach(generation=self.generation)
        return greet(self.cell)

    def run(self, *states: bytes) -> Welcome:
        """Live once, leaving these states behind; return its welcome."""
        self.end()
        self.generation += 1
        self.cell = self.engine.attach(generation=self.generation)
        welcome = self.cell.run()
        said = CellSaid("one", self.generation, "running")
        self.engine.wait_news(CellSaid, lambda word: word == said)
        for state in states:
            before = len(kept(self.engine))
            self.cell.say(Checkpoint(state, 1, welcome.tape, welcome.position, welcome.at))
            wait_until(partial(self._more_than, before), what="the checkpoint in the journal")
        return welcome

    def _more_than(self, count: int) -> bool:
        return len(kept(self.engine)) > count

    def refuse(self, why: str = "load_state raised KeyError: 'seen'") -> None:
        self.engine.tell(RefuseState("one", self.generation, why))

    def end(self) -> None:
        if self.cell is not None:
            self.engine.tell(Detach("one", self.generation))
            self.cell.close()
            self.cell = None


@pytest.fixture
def lives(engine: EngineProcess) -> Iterator[Lives]:
    made = Lives(engine)
    yield made
    made.end()


def test_an_accepted_signal_is_followed_by_a_checkpoint_of_what_came_after_it(engine: EngineProcess) -> None:
    publisher, cell = engine.feed(), engine.attach()
    welcome = cell.run()

    def asked() -> int:
        return len([c for c in cell.commands() if isinstance(c, TakeCheckpoint)])

    wait_until(lambda: asked() == 1, what="the first request")
    cell.say(Checkpoint(b"\x80", 1, welcome.tape, welcome.position))
    start = time.time_ns()
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(cell.ticks, what="a tick")
    assert "accepted" == cell.ask(data_as_of=start, data_key=1).decision
    wait_until(lambda: asked() == 2, what="the second request")
    cell.ask(symbol="Z", data_as_of=start, data_key=2)  # refused: it changes nothing
    cell.say(Checkpoint(b"\x80", 1, welcome.tape, welcome.position))
    wait_until(lambda: len(kept(engine)) == 2, what="both checkpoints")
    assert 2 == asked()
    publisher.close()
    cell.close()


def test_a_state_over_its_limit_is_not_kept_and_the_one_before_it_stands(
    engine: EngineProcess, lives: Lives
) -> None:
    welcome = lives.run(b"good")
    assert lives.cell is not None
    lives.cell.say(Checkpoint(b"x" * (2**20 + 1), 1, welcome.tape, welcome.position))
    wait_until(lambda: engine.events("checkpoint_refused"), what="an event")
    (event,) = engine.events("checkpoint_refused")
    assert "not kept: 1,048,577 bytes, at most 1,048,576 are kept ([quota] checkpoint)" == event.detail
    assert b"good" == lives.hello().state


def test_a_state_that_does_not_load_is_set_aside_and_the_one_before_it_is_given(
    engine: EngineProcess, lives: Lives
) -> None:
    lives.run(b"first", b"second")
    (second, _), (first, _) = kept(engine)
    assert b"second" == lives.hello().state
    lives.refuse()
    assert lives.cell is not None
    greet(lives.cell)  # its last hello is answered with the other one
    lives.refuse()  # said twice: that costs no other one
    assert b"first" == lives.hello().state
    (event,) = engine.events("state_quarantined")
    assert event.detail.startswith(
        f"checkpoint {second} is set aside (load_state raised KeyError: 'seen'); "
        f"the next start takes checkpoint {first} of "
    )
    assert [(second, "load_state raised KeyError: 'seen'"), (first, "")] == kept(engine)
    assert [] == engine.events("state_lost")


def test_with_no_good_one_left_it_starts_afresh_and_that_is_told(engine: EngineProcess, lives: Lives) -> None:
    lives.run(b"only")
    lives.hello()
    lives.refuse()
    welcome = lives.hello()
    assert (b"", False, False) == (welcome.state, welcome.recovered, welcome.resumes)
    assert 1 == len(engine.events("state_quarantined"))
    (lost,) = engine.events("state_lost")
    assert lost.detail.startswith("no checkpoint of it is good any more")


def test_an_instance_that_runs_or_is_gone_or_had_no_state_refuses_nothing(
    engine: EngineProcess, lives: Lives
) -> None:
    lives.run(b"good")
    lives.refuse()  # it runs, and began without one
    lives.run()
    lives.refuse()  # it loaded it, and runs
    engine.tell(RefuseState("one", 1, "late"))
    engine.tell(RefuseState("nobody", 1, "?"))
    assert b"good" == lives.hello().state
    assert [] == engine.events("state_quarantined")


def test_a_flipped_bit_in_the_file_is_found_before_a_strategy_sees_it(
    engine: EngineProcess, lives: Lives
) -> None:
    lives.run(b"first", b"second")
    (second, _), _ = kept(engine)
    with contextlib.closing(sqlite3.connect(journal(engine))) as database:
        database.execute("UPDATE checkpoints SET state = x'7365636f6e65' WHERE seq = ?", (second,))
        database.commit()
    assert b"first" == lives.hello().state
    wait_until(lambda: engine.events("state_quarantined"), what="an event")
    (event,) = engine.events("state_quarantined")
    assert f"checkpoint {second} is set aside (damaged: " in event.detail
    wait_until(lambda: kept(engine)[0][1], what="the mark in the journal")
    assert b"first" == lives.hello().state
    assert 1 == len(engine.events("state_quarantined"))


def test_an_older_one_is_put_back_and_all_are_dropped_on_demand(engine: EngineProcess, lives: Lives) -> None:
    lives.run(b"first", b"second")
    first = kept(engine)[1][0]
    lives.end()
    engine.tell(RestoreState("one", first, 7))
    assert "" == engine.wait_news(StateAnswer, lambda a: a.request == 7).problem
    assert 3 == len(kept(engine))
    assert b"first" == lives.hello().state
    engine.tell(RestoreState("one", 9999, 8))
    answer = engine.wait_news(StateAnswer, lambda a: a.request == 8)
    assert "one has no good checkpoint 9999" == answer.problem
    lives.end()
    engine.tell(ClearState("one", 9))
    assert "" == engine.wait_news(StateAnswer, lambda a: a.request == 9).problem
    assert [] == kept(engine)
    assert b"" == lives.hello().state


def test_what_was_refused_stays_refused_after_kill_9_of_the_engine(
    engine: EngineProcess, lives: Lives, tmp_path: Path
) -> None:
    lives.run(b"first", b"second")
    lives.hello()
    lives.refuse()
    wait_until(lambda: engine.events("state_quarantined"), what="an event, which follows the commit")
    lives.end()
    engine.kill()
    new = EngineProcess(tmp_path)
    cell = new.attach(generation=9)
    assert b"first" == greet(cell).state
    cell.say(Bye(CellStats()))
    cell.close()
    assert 0 == new.stop(), new.stderr
