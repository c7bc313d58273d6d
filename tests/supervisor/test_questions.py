"""What operators ask of a strategy, as the supervisor waits for it, and as it stands in the log of events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from supervisor.cell_control import CellAnswered, CommandCell, InspectCell, SaveCell
from supervisor.errors import Failed, Invalid, Late, StratdError, Unavailable
from supervisor.life import State
from supervisor.problems import problem_of
from supervisor.questions import AT_ONCE, Questions

FOREVER = 3600.0


class World:
    """A daemon's parts; ``say`` is what the engine answers to each order, None for nothing."""

    def __init__(self, say: Callable[[Any], CellAnswered | None] = lambda _: None) -> None:
        self.told: list[Any] = []
        self._heard = asyncio.Semaphore(0)
        self.noted: list[tuple[str, str, str, int]] = []
        self.news = SimpleNamespace(on_engine_gone=[], on_cell_answered=None)
        self.engine = SimpleNamespace(ready=object(), tell=self._tell)
        self.events = SimpleNamespace(note=lambda *given: self.noted.append(given))
        self._say = say
        self.questions = Questions(self)  # type: ignore[arg-type]  # what it reads is here
        self.actor: Any = SimpleNamespace(id="first", life=SimpleNamespace(state=State.RUNNING, generation=3))

    def _tell(self, order: Any) -> None:
        self.told.append(order)
        self._heard.release()
        if (answer := self._say(order)) is not None:
            asyncio.get_running_loop().call_soon(self.news.on_cell_answered, answer)

    async def asked(self, count: int = 1) -> None:
        """Wait until the engine was told so many more."""
        for _ in range(count):
            await self._heard.acquire()

    async def command(self, payload: Any = None, patience: float = FOREVER) -> Any:
        return await self.questions.command(self.actor, "set", payload, patience=patience, by="ann")


def done(data: bytes) -> Callable[[Any], CellAnswered]:
    return lambda order: CellAnswered(order.request, "done", data)


def failed(order: Any) -> CellAnswered:
    return CellAnswered(order.request, "failed", why="ValueError: the secret 12345")


def test_a_command_goes_to_the_instance_that_runs_and_its_answer_comes_back():
    world = World(done(b'{"was":1}'))
    assert {"was": 1} == asyncio.run(world.command({"bias": [1, None, "x"]}))
    (told,) = world.told
    assert ("first", 3, "set", b'{"bias":[1,null,"x"]}') == (
        told.deployment_id, told.generation, told.name, told.payload,
    )  # fmt: skip
    assert isinstance(told, CommandCell)
    assert [("command", "set by ann: done", "first", 3)] == world.noted


def test_the_line_of_what_it_raised_is_for_whoever_asked_and_for_no_log():
    world = World(failed)
    with pytest.raises(Invalid, match="set: ValueError: the secret 12345"):
        asyncio.run(world.command("the payload"))
    assert [("command", "set by ann: failed", "first", 3)] == world.noted


def test_no_number_is_of_the_daemon_before():
    """A command that is told again after a restart must not answer another question."""
    numbers = set()
    for _ in range(20):
        world = World(done(b"1"))
        asyncio.run(world.command())
        numbers.add(world.told[0].request)
    assert 20 == len(numbers)
    assert all(0 <= number < 2**62 + 100 for number in numbers)


def test_without_an_answer_nobody_says_that_it_was_not_done():
    world = World()
    with pytest.raises(
        Late, match=r"has not answered within 0\.01 s: the command 'set' may still be done"
    ) as late:
        asyncio.run(world.command(patience=0.01))
    assert 504 == problem_of(late.value).status
    assert [("command", "set by ann: no answer yet", "first", 3)] == world.noted


def test_an_engine_that_ends_may_still_do_it():
    async def scenario() -> None:
        world = World()
        waiting = asyncio.create_task(world.command())
        await world.asked()
        world.news.on_engine_gone[0]()
        with pytest.raises(Late, match=r"the engine ended before first answered.*may still be done"):
            await waiting

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "kind", "line"),
    [
        (lambda w: setattr(w.actor.life, "state", State.STOPPED), Failed, "does not run, it is stopped"),
        (lambda w: setattr(w.actor.life, "state", State.WARMING), Failed, "does not run, it is warming"),
        (lambda w: setattr(w.engine, "ready", None), Unavailable, "the engine is being started"),
    ],
)
def test_where_nobody_is_there_nobody_is_asked(change, kind: type[StratdError], line: str):
    world = World(done(b"1"))
    change(world)
    with pytest.raises(kind, match=line):
        asyncio.run(world.command())
    assert ([], []) == (world.told, world.noted)


def test_a_strategy_has_no_more_than_so_many_questions_at_once():
    async def scenario() -> None:
        world = World()
        waiting = [asyncio.create_task(world.command()) for _ in range(AT_ONCE)]
        await world.asked(AT_ONCE)
        with pytest.raises(Unavailable, match="questions to answer already"):
            await world.command()
        world.news.on_cell_answered(CellAnswered(world.told[0].request, "done", b"1"))
        assert 1 == await waiting[0]
        another = asyncio.create_task(world.command())  # there is room again
        await world.asked()
        for told in world.told[1:]:
            world.news.on_cell_answered(CellAnswered(told.request, "done", b"2"))
        assert [2] * AT_ONCE == await asyncio.gather(*waiting[1:], another)

    asyncio.run(scenario())


@pytest.mark.parametrize("payload", ["x" * 16_384, {"a": 2**64}, float("nan")])
def test_a_payload_beyond_the_bounds_is_refused_before_anybody_hears_of_it(payload: Any):
    world = World(done(b"1"))
    with pytest.raises(Invalid, match="payload"):
        asyncio.run(world.command(payload))
    assert ([], []) == (world.told, world.noted)


@pytest.mark.parametrize("data", [b"", b"[" * 16_000, b"NaN", b"x", b'"\xff"', b"1 2"])
def test_an_answer_that_is_no_json_is_told_as_such(data: bytes):
    with pytest.raises(Invalid, match="set: its answer is not JSON"):
        asyncio.run(World(done(data)).command())


def test_what_a_strategy_shows_is_a_mapping():
    async def ask(world: World) -> Any:
        return await world.questions.inspect(world.actor, patience=FOREVER)

    world = World(done(b'{"a":1}'))
    assert {"a": 1} == asyncio.run(ask(world))
    assert isinstance(world.told[0], InspectCell)
    assert [] == world.noted
    with pytest.raises(Invalid, match="inspect: its answer is a list"):
        asyncio.run(ask(World(done(b"[1]"))))
    busy = World(lambda order: CellAnswered(order.request, "not_now", why="it is being told what it missed"))
    with pytest.raises(Failed, match="it is being told what it missed"):
        asyncio.run(ask(busy))


def test_a_checkpoint_on_demand_is_the_number_of_its_record():
    async def ask(world: World) -> int:
        return await world.questions.save(world.actor, patience=FOREVER)

    world = World(lambda order: CellAnswered(order.request, "done", seq=41))
    assert 41 == asyncio.run(ask(world))
    assert isinstance(world.told[0], SaveCell)
    with pytest.raises(Invalid, match="checkpoint: ValueError"):
        asyncio.run(ask(World(failed)))
