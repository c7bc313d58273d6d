"""Questions to one strategy in a real engine: in order, on the tape, answered once, by whoever was asked."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator

import pytest

from bus.messages import CellAnswer, Checkpoint, Commanded, Inspect, TakeCheckpoint, Welcome
from bus.sockets import Publisher
from supervisor.cell_control import CellAnswered, CommandCell, InspectCell, SaveCell
from supervisor.control import CellSaid, Detach
from supervisor.store.journal_reader import JournalReader
from tests.supervisor.engine_harness import EngineProcess, FakeCell, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system
REQUESTS = itertools.count(1)


class Running:
    """An instance that the engine knows to run."""

    def __init__(self, engine: EngineProcess, name: str, generation: int = 1) -> None:
        self.engine, self.name, self.generation = engine, name, generation
        self.cell: FakeCell = engine.attach(name, generation)
        self.welcome: Welcome = self.cell.run()
        engine.wait_news(CellSaid, lambda said: said == CellSaid(name, generation, "running"))

    def command(self) -> int:
        """Have it told a command; return its number."""
        request = next(REQUESTS)
        self.engine.tell(CommandCell(self.name, self.generation, "set", b'{"bias":1}', request))
        return request

    def hears(self, request: int) -> Commanded:
        return self.cell.wait_heard(Commanded, lambda told: told.request == request)

    def answer(self, request: int, data: bytes) -> None:
        self.cell.say(CellAnswer(request, "done", data))

    def save(self, state: bytes) -> None:
        welcome = self.welcome
        self.cell.say(Checkpoint(state, 1, welcome.tape, welcome.position, welcome.at))

    def saves(self, state: bytes) -> CellAnswered:
        """Be asked for a checkpoint on demand, give this one; return what was answered."""
        request = next(REQUESTS)
        self.engine.tell(SaveCell(self.name, self.generation, request))
        self.cell.wait_heard(TakeCheckpoint, lambda told: told.request == request)
        self.save(state)
        self.cell.say(CellAnswer(request, "done"))
        return answered(self.engine, request)

    def commands(self) -> list[tuple[int, int]]:
        """Return its commands on the tape since its welcome: their numbers, and those of the requests."""
        found, _ = self.cell.missed(self.welcome.at)
        told = [message for topic, message in found if topic.startswith(b"to")]
        return [(one.seq, one.body.request) for one in told if isinstance(one.body, Commanded)]

    def end(self) -> None:
        self.engine.tell(Detach(self.name, self.generation))
        self.cell.close()


def answered(engine: EngineProcess, request: int) -> CellAnswered:
    return engine.wait_news(CellAnswered, lambda said: said.request == request)


def of(engine: EngineProcess, request: int) -> list[CellAnswered]:
    return [one for one in engine.listen() if isinstance(one, CellAnswered) and one.request == request]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One for all of these; each has deployments of its own."""
    made = EngineProcess(tmp_path_factory.mktemp("questions"))
    yield made
    assert 0 == made.stop(), made.stderr


@pytest.fixture(scope="module")
def publisher(engine: EngineProcess) -> Iterator[Publisher]:
    made = engine.feed()
    yield made
    made.close()


def test_a_command_has_its_place_among_ticks_and_is_told_again_there(
    engine: EngineProcess, publisher: Publisher
) -> None:
    one, start = Running(engine, "placed"), time.time_ns()
    send_tick(publisher, "X", start, 100.0, seq=1)
    wait_until(lambda: len(one.cell.ticks()) == 1, what="the first tick")
    told = one.hears(one.command())
    send_tick(publisher, "X", start + 1, 101.0, seq=2)
    wait_until(lambda: len(one.cell.ticks()) == 2, what="the second tick")
    assert ("set", b'{"bias":1}') == (told.name, told.payload)
    found, _ = one.cell.missed(one.welcome.at)
    places = [
        [tick.last for tick in message.ticks] if topic.startswith(b"tick") else message.body
        for topic, message in found
        if topic.startswith((b"tick", b"to"))
    ]
    assert [[100.0], told, [101.0]] == places
    one.end()


def test_the_first_answer_under_a_number_counts_and_no_other(engine: EngineProcess) -> None:
    one, nobodys = Running(engine, "once"), next(REQUESTS)
    first = one.command()
    one.hears(first)
    one.answer(nobodys, b"0")
    one.answer(first, b"1")
    one.answer(first, b"2")  # as a replay has it
    last = one.command()
    one.hears(last)
    one.cell.say(CellAnswer(last, "failed", why="ValueError: no"))
    assert CellAnswered(last, "failed", why="ValueError: no") == answered(engine, last)
    assert [CellAnswered(first, "done", b"1")] == of(engine, first)
    assert [] == of(engine, nobodys)
    one.end()


def test_nobody_answers_for_another_deployment(engine: EngineProcess) -> None:
    mine, other = Running(engine, "mine"), Running(engine, "other")
    asked = mine.command()
    mine.hears(asked)
    other.answer(asked, b'"forged"')
    after = other.command()
    other.hears(after)
    other.answer(after, b"8")
    answered(engine, after)  # so the forged one was heard, too
    mine.answer(asked, b'"mine"')
    assert [CellAnswered(asked, "done", b'"mine"')] == [answered(engine, asked)] == of(engine, asked)
    mine.end()
    other.end()


def test_who_does_not_run_is_not_asked_and_nothing_is_published(engine: EngineProcess) -> None:
    one = Running(engine, "here")
    numbers = [next(REQUESTS) for _ in range(3)]
    engine.tell(CommandCell("nobody", 1, "set", b"1", numbers[0]))
    engine.tell(CommandCell("here", 2, "set", b"1", numbers[1]))
    engine.tell(InspectCell("nobody", 1, numbers[2]))
    assert ["not_now"] * 3 == [answered(engine, number).outcome for number in numbers]
    assert [] == one.commands()
    one.end()


def test_who_is_not_warm_yet_is_asked_when_it_is(engine: EngineProcess) -> None:
    """Its warden tells the supervisor that it is, and the engine, on two ways."""
    cell, asked = engine.attach("early"), next(REQUESTS)
    engine.tell(CommandCell("early", 1, "set", b"1", asked))
    cell.run()
    cell.wait_heard(Commanded, lambda told: told.request == asked)
    cell.say(CellAnswer(asked, "done", b"1"))
    assert CellAnswered(asked, "done", b"1") == answered(engine, asked)
    cell.close()


def test_who_never_was_warm_has_no_answer(engine: EngineProcess) -> None:
    cell, asked = engine.attach("never"), next(REQUESTS)
    engine.tell(CommandCell("never", 1, "set", b"1", asked))
    engine.tell(Detach("never", 1))
    assert CellAnswered(asked, "not_now", why="it ended before it answered") == answered(engine, asked)
    cell.close()


def test_a_command_outlives_its_instance_and_is_answered_by_the_next(engine: EngineProcess) -> None:
    one = Running(engine, "heir")
    assert "done" == one.saves(b"\x80").outcome
    asked, looked = one.command(), next(REQUESTS)
    engine.tell(InspectCell("heir", 1, looked))
    one.cell.wait_heard(Inspect)
    one.end()
    assert CellAnswered(looked, "not_now", why="it ended before it answered") == answered(engine, looked)
    after = Running(engine, "heir", generation=2)
    assert after.welcome.resumes
    assert [(1, asked)] == after.commands()
    after.answer(asked, b"1")
    assert [CellAnswered(asked, "done", b"1")] == [answered(engine, asked)] == of(engine, asked)
    after.end()


def test_inspect_is_on_no_tape(engine: EngineProcess) -> None:
    one, asked = Running(engine, "shown"), next(REQUESTS)
    engine.tell(InspectCell("shown", 1, asked))
    one.cell.wait_heard(Inspect)
    one.answer(asked, b'{"a":1}')
    assert CellAnswered(asked, "done", b'{"a":1}') == answered(engine, asked)
    assert [] == [topic for topic, _ in one.cell.missed(one.welcome.at)[0] if topic.startswith(b"to")]
    one.end()


def test_a_checkpoint_on_demand_is_answered_once_it_is_in_the_journal(engine: EngineProcess) -> None:
    one = Running(engine, "saved")
    said = one.saves(b"\x80")
    with JournalReader.open(engine.folder / "state" / "journal.db") as reader:
        newest = reader.checkpoints("saved")[0]
    assert ("done", newest.seq) == (said.outcome, said.seq)
    one.end()


def test_a_checkpoint_on_demand_that_is_too_large_is_told_so(engine: EngineProcess) -> None:
    one = Running(engine, "large")
    said = one.saves(bytes(2**20 + 1))
    assert "failed" == said.outcome
    assert "its checkpoint is not kept: " in said.why
    one.end()
