"""Many cells that catch up at once, and what is live meanwhile: on a real tape, without sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bus import topics
from bus.agenda import NEVER
from bus.messages import CellCommand, Replayed, Tick, Ticks, Welcome, encode
from supervisor.control import Attach
from supervisor.engine import replays as module
from supervisor.engine.publication import Publication
from supervisor.engine.replays import Replays
from supervisor.engine.roster import Member, Roster
from supervisor.store.tape import Tape

_decode_command = msgspec.msgpack.Decoder(CellCommand).decode
_decode_ticks = msgspec.msgpack.Decoder(Ticks).decode


class World:
    """An engine that is nothing but its tape, its socket and its roster; every cell reads symbol X."""

    def __init__(self, tape: Tape, cells: int) -> None:
        self.sent: list[bytes] = []
        self.settled = 0
        self.publication = Publication(tape, self.sent.append)
        self.roster = Roster()
        self.market = SimpleNamespace(flush=lambda: None)
        engine: Any = self
        self.replays = Replays(engine, lambda *_: Welcome(1, 1))
        self.members = [self.attach(f"cell-{number}") for number in range(cells)]
        self._seq = 0

    def attach(self, name: str, generation: int = 1) -> Member:
        self.roster.attach(
            Attach(
                deployment_id=name, generation=generation, token="t", strategy="s", version="1",
                code_hash="0", account_id="a", trading_mode="paper", symbols=["X"], timeframes=[], warmup=0,
            )
        )  # fmt: skip
        found = self.roster.current(name)
        assert found is not None
        return found

    def settle(self) -> None:
        self.settled += 1

    def command(self, owner: str, generation: int, body: Any) -> None:
        self.publication.command(owner, generation, body)

    def publish(self, count: int, padding: int = 1) -> None:
        """Publish ``count`` messages of ``padding`` ticks each."""
        for _ in range(count):
            ticks = [Tick("X", self._seq + n + 1, 1.0) for n in range(padding)]
            self.publication.publish(topics.tick("X") + encode(Ticks(1, self._seq + 1, ticks)))
            self._seq += padding
        self.publication.flush()

    def turn(self) -> list[tuple[str, Any]]:
        """Let the engine take one turn; return what it answered, and to whom."""
        before = len(self.sent)
        self.replays.serve()
        return [
            (topics.of(frame).decode(), _decode_command(frame.removeprefix(topics.of(frame))).body)
            for frame in self.sent[before:]
        ]


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    with Tape.open(tmp_path / "tape") as opened:
        yield opened


def name(member: Member) -> str:
    return topics.cell(member.deployment_id).decode()


def numbers(frames: list[bytes]) -> list[int]:
    ticks = [_decode_ticks(frame.removeprefix(topics.tick("X"))) for frame in frames]
    return [message.seq + n for message in ticks for n in range(len(message.ticks))]


def test_a_hundred_that_catch_up_at_once_cost_one_turn_no_more_than_one_does(tape: Tape) -> None:
    world = World(tape, cells=100)
    world.publish(500, padding=200)
    assert tape.end > 4 * module.SHARE
    for member in world.members:
        world.replays.ask(member, 0)
    looked_through, turns = [], 0
    while world.replays.wake != NEVER:
        answers = world.turn()
        assert 1 <= len(answers) <= module.PIECES
        looked_through.append(sum(body.at - body.since for _, body in answers))
        turns += 1
    longest = max(map(len, world.sent[:500]))  # a frame is never cut
    assert max(looked_through) <= module.SHARE + 2 * longest
    assert turns == 100


def test_those_who_have_little_to_hear_share_a_turn_up_to_a_number_of_answers(tape: Tape) -> None:
    world = World(tape, cells=40)
    world.publish(3)
    for member in world.members:
        world.replays.ask(member, 0)
    told: list[tuple[str, Any]] = []
    for most in (module.PIECES, module.PIECES, 40 - 2 * module.PIECES):
        answers = world.turn()
        assert len(answers) == most
        told += answers
    assert [name(member) for member in world.members] == [owner for owner, _ in told]
    assert all(numbers(body.frames) == [1, 2, 3] and body.done for _, body in told)
    assert world.turn() == []


def test_they_take_turns_whoever_asks_most(tape: Tape) -> None:
    """A cell that is told a piece asks for the next one at once, and is behind all others with it."""
    world = World(tape, cells=5)
    world.publish(500, padding=200)
    for member in world.members:
        world.replays.ask(member, 0)
    by_name = {name(member): member for member in world.members}
    owners: list[str] = []
    while len(owners) < 20:
        for owner, answer in world.turn():
            owners.append(owner)
            assert not answer.done
            world.replays.ask(by_name[owner], answer.at)
            world.replays.ask(world.members[0], 0)  # impatient
    assert [*by_name] * 4 == owners[:20]


def test_live_data_goes_between_and_each_hears_everything_once(tape: Tape) -> None:
    world = World(tape, cells=20)
    world.publish(300, padding=200)
    by_name = {name(member): member for member in world.members}
    heard: dict[str, list[int]] = {known: [] for known in by_name}
    live: set[str] = set()
    for member in world.members:
        world.replays.ask(member, 0)
    for _ in range(5000):
        world.publish(1)  # in each turn before what was missed
        for known in live:
            heard[known] += numbers(world.sent[-1:])
        for owner, answer in world.turn():
            assert isinstance(answer, Replayed)
            heard[owner] += numbers(answer.frames)
            if answer.done:
                live.add(owner)
            else:
                world.replays.ask(by_name[owner], answer.at)
        if len(live) == 20:
            break
    published = numbers([frame for frame in world.sent if topics.of(frame) == topics.tick("X")])
    assert all(told == published for told in heard.values())


def test_a_question_that_is_asked_again_is_answered_once(tape: Tape) -> None:
    world = World(tape, cells=2)
    world.publish(2)
    first, second = world.members
    for _ in range(3):
        world.replays.ask(first, 0)
        world.replays.ask(second, 0)
    assert [owner for owner, _ in world.turn()] == [name(first), name(second)]
    assert world.turn() == []


def test_who_is_gone_or_fenced_out_is_not_answered(tape: Tape) -> None:
    world = World(tape, cells=3)
    world.publish(1)
    for member in world.members:
        world.replays.ask(member, 0)
    world.roster.detach("cell-0", 1)
    world.attach("cell-1", generation=2)
    assert [owner for owner, _ in world.turn()] == [name(world.members[2])]
    assert world.replays.wake == NEVER


def test_what_was_decided_is_published_before_the_tape_is_read(tape: Tape) -> None:
    """Behind the last piece comes what was published next: a verdict that waits must not slip before it."""
    world = World(tape, cells=1)
    world.settle = lambda: world.publish(1)  # type: ignore[method-assign]
    world.replays.ask(world.members[0], 0)
    world.replays.serve()
    tick, answer = world.sent
    body = _decode_command(answer.removeprefix(topics.cell("cell-0"))).body
    assert isinstance(body, Replayed)
    assert (body.frames, body.done) == ([tick], True)


def test_where_the_tape_does_not_reach_back_the_answer_begins_at_the_present(tape: Tape) -> None:
    world = World(tape, cells=2)
    world.publish(1)
    for member in world.members:
        world.replays.ask(member, 10**12)
    assert [Welcome] == [type(body) for _, body in world.turn()], "each is the work of a turn"
    assert [Welcome] == [type(body) for _, body in world.turn()]
