"""A real cell and an engine with a tape: killed, cut off or paused, it says what it would have said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bus import topics
from bus.messages import (
    Acked,
    CellCommand,
    Checkpoint,
    Hello,
    Missed,
    Pause,
    Pulse,
    Replayed,
    Resume,
    Running,
    Schedule,
    Signal,
    SignalAck,
    Signals,
    TakeCheckpoint,
    TimerFired,
    Welcome,
    encode,
)
from sandbox.spec import Terminate
from tests.sandbox.world import NOON, SECOND, Engine, Observed, World, decode_report, new_world

pytestmark = pytest.mark.system

TAPE = 99
CELL = topics.cell("mine")


class TapedEngine(Engine):
    """Tapes what it publishes; ``deaf`` frames are on the tape and never sent."""

    def __init__(self, folder: Path, name: str = "bus") -> None:
        super().__init__(folder, name)
        self.tape: list[bytes] = []
        self.deaf = False
        self.state: dict[str, Any] = {}

    def publish(self, topic: bytes, payload: bytes) -> None:
        self.tape.append(topic + payload)
        if not self.deaf:
            self._market.send(topic + payload)

    def pulse(self, now: int = NOON) -> None:
        last = {topic.decode(): seq for topic, seq in self._seq.items()}
        self.publish(topics.PULSE, encode(Pulse(self.epoch, now, last, len(self.tape))))

    def say(self, generation: int, body: Any) -> None:
        """Say what is of the moment."""
        self._market.send(CELL + encode(CellCommand(generation, body)))

    def numbered(self, generation: int, body: Any) -> None:
        self._seq[CELL] = self._seq.get(CELL, 0) + 1
        self.publish(CELL, encode(CellCommand(generation, body, self._seq[CELL])))

    def _take(self) -> None:
        for user, payload in self._reports.drain():
            report = decode_report(payload)
            self.said.append((user, report))
            generation = int(user.rsplit(":", 1)[1])
            match report:
                case Hello(tape=0):
                    position = {topic.decode(): last for topic, last in self._seq.items()}
                    present = {"position": position, "at": len(self.tape)}
                    self.say(generation, Welcome(self.epoch, NOON, tape=TAPE, **{**present, **self.state}))
                case Hello():
                    self.say(generation, Welcome(self.epoch, NOON, tape=TAPE, resumes=True))
                case Missed(at=at):
                    frames = self.tape[at : at + 7]
                    end = at + len(frames)
                    self.say(generation, Replayed(frames, end, end == len(self.tape), at))

    def signals_of(self, generation: int) -> list[Signal]:
        mine = [r for user, r in self.said if user == f"mine:{generation}" and isinstance(r, Signals)]
        return [one for report in mine for one in report.signals]


@pytest.fixture
def world(tmp_path: Path):
    with new_world(tmp_path) as world:
        world.engine.close()
        world.engine = TapedEngine(tmp_path, "taped")
        yield world


TRADER = """
    def on_start(self, ctx, recovered):
        self.ema = ctx.indicator("EMA", "1m", 3)
        ctx.schedule("often", every=60)

    def on_tick(self, data):
        self.count = getattr(self, "count", 0) + 1
        return buy(tags={"n": str(self.count), "drawn": str(self.ctx.rng.random())})

    def on_candle_complete(self, timeframe, candle, data):
        return buy(tags={"ema": str(self.ema.value), "drawn": str(self.ctx.rng.random())})

    def on_timer(self, name, ts):
        return buy(leg=name)

    def save_state(self):
        return {"count": getattr(self, "count", 0)}

    def load_state(self, state, version):
        self.count = state["count"]
"""


def born(world: World, generation: int = 1, body: str = TRADER, **changes: Any) -> Observed:
    return world.running(body, deployment_id="mine", generation=generation, conflate=False, **changes)


def minute(world: World, number: int, generation: int = 1) -> None:
    """One minute of market: ticks, a candle, a verdict, a timer."""
    engine = world.engine
    engine.ticks("EURUSD", *(1.0 + number / 100 + n / 1000 for n in range(3)))
    engine.candle("EURUSD", "1m", NOON + number * 60 * SECOND, 1.0 + number / 100)
    engine.numbered(generation, Acked(SignalAck("key", "accepted", number=number)))
    engine.numbered(generation, TimerFired("often", NOON + number * 60 * SECOND))
    engine.pulse()


def checkpoint(world: World, generation: int = 1) -> Checkpoint:
    before = len(world.engine.of(Checkpoint))
    world.engine.say(generation, TakeCheckpoint())
    return world.until(lambda: world.engine.of(Checkpoint)[before:], "a checkpoint")[0]


def resumed(saved: Checkpoint) -> dict[str, Any]:
    """The facts of the welcome that goes on with a checkpoint."""
    return {
        "state": saved.state, "state_version": saved.state_version, "recovered": True, "resumes": True,
        "position": saved.position, "at": saved.at, "paused": saved.paused,
    }  # fmt: skip


def test_a_killed_strategy_says_from_its_checkpoint_on_what_it_said_or_would_have_said(world: World):
    cell = born(world)
    for number in range(1, 6):
        minute(world, number)
    world.until(lambda: len(world.engine.signals_of(1)) == 25, "the signals of five minutes")
    saved = checkpoint(world)
    assert (TAPE, False, len(world.engine.tape)) == (saved.epoch, saved.paused, saved.at + 1)
    for number in range(6, 11):
        minute(world, number)
    world.until(lambda: len(world.engine.signals_of(1)) == 50, "the signals of ten minutes")
    cell.handle.kill()
    world.until(lambda: cell.handle.gone, "its end")
    world.engine.state = resumed(saved)
    born(world, 2)
    world.until(lambda: len(world.engine.signals_of(2)) == 25, "the signals since the checkpoint")
    minute(world, 11, generation=2)
    world.until(lambda: len(world.engine.signals_of(2)) == 30, "those of one more minute")
    assert world.engine.signals_of(1)[25:] == world.engine.signals_of(2)[:25]
    kinds = [type(report) for user, report in world.engine.said if user == "mine:2"]
    assert kinds.index(Running) < kinds.index(Missed) < kinds.index(Signals) < kinds.index(Schedule)


def test_what_the_socket_lost_is_had_from_the_tape(world: World):
    cell = born(world)
    minute(world, 1)
    world.engine.deaf = True
    minute(world, 2)
    world.engine.deaf = False
    minute(world, 3)
    world.until(lambda: len(world.engine.signals_of(1)) == 15, "the signals of three minutes")
    assert [s.number for s in world.engine.signals_of(1)] == list(range(1, 16))
    assert cell.warnings("catch_up") == ["3 missing: tick|EURUSD| from 4"]
    world.until(lambda: cell.warnings("caught_up"), "the word that it is live again")
    assert cell.warnings("gap") == []


def test_an_engine_that_comes_back_is_asked_for_what_was_missed_meanwhile(world: World):
    born(world)
    minute(world, 1)
    world.until(lambda: len(world.engine.signals_of(1)) == 5, "the signals of a minute")
    world.engine.epoch += 1
    world.engine.deaf = True
    minute(world, 2)
    world.engine.deaf = False
    minute(world, 3)
    world.until(
        lambda: len({s.number for s in world.engine.signals_of(1)}) == 15, "the signals of three minutes"
    )
    assert Hello(TAPE) in world.engine.of(Hello)
    world.until(lambda: len(world.engine.of(Schedule)) == 2, "the timer again")
    assert world.engine.of(Schedule)[-1] == Schedule("often", NOON + 4 * 60 * SECOND, 60 * SECOND)


def test_a_pause_and_a_sigterm_leave_a_checkpoint(world: World):
    cell = born(world)
    minute(world, 1)
    world.engine.numbered(1, Pause("lunch"))
    paused = world.until(lambda: world.engine.of(Checkpoint), "the checkpoint of the pause")[0]
    assert (True, {"tick|EURUSD|": 3, "candle|EURUSD|": 1, "to|mine|": 3}) == (
        paused.paused,
        paused.position,
    )
    world.engine.ticks("EURUSD", 2.0)
    world.engine.numbered(1, Resume())
    world.engine.ticks("EURUSD", 3.0)
    world.until(lambda: len(world.engine.signals_of(1)) == 6, "a signal after the pause")
    cell.handle.order(Terminate("SIGTERM", 5.0))
    world.ended(cell)
    last = world.engine.of(Checkpoint)[-1]
    assert (False, 5, 4) == (last.paused, last.position["tick|EURUSD|"], last.position["to|mine|"])


def test_a_state_of_a_pause_begins_paused_and_its_candles_come_before_the_resume(world: World):
    cell = born(world)
    world.engine.numbered(1, Pause("lunch", exit_only=True))
    saved = world.until(lambda: world.engine.of(Checkpoint), "the checkpoint of the pause")[0]
    cell.handle.kill()
    world.until(lambda: cell.handle.gone, "its end")
    minute(world, 1)
    world.engine.state = resumed(saved)
    again = born(
        world,
        2,
        """
        def on_pause(self, reason):
            print("paused", reason)

        def on_resume(self):
            print("resumed")

        def on_tick(self, data):
            print("tick", data.tick.last)

        def on_candle_complete(self, timeframe, candle, data):
            print("candle", candle.close)
        """,
    )
    world.engine.numbered(2, Resume())
    world.engine.ticks("EURUSD", 5.0)
    world.until(lambda: len(again.lines("out")) == 4, "four lines")
    assert again.lines("out") == ["paused lunch", "candle 1.01", "resumed", "tick 5.0"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (b"\x81\xa5state\x01", "was not written by this host"),
        (b"\xc1" * 50, "checkpoint cannot be read"),
    ],
)
def test_a_state_that_cannot_be_taken_back_is_told_and_ends_the_process(world: World, state: bytes, why: str):
    world.engine.state = {"state": state, "resumes": True, "recovered": True}
    cell = world.start(TRADER, deployment_id="mine")
    died = world.ended(cell)
    assert died.cause == "error"
    [told] = cell.warnings("state_refused")
    assert why in told


def test_a_state_that_the_strategy_fails_on_is_told_by_name(world: World):
    good = born(world)
    saved = checkpoint(world)
    good.handle.kill()
    world.until(lambda: good.handle.gone, "its end")
    world.engine.state = resumed(saved)
    cell = world.start(
        "def load_state(self, state, version):\n    self.x = state['closes']", deployment_id="mine"
    )
    assert world.ended(cell).cause == "error"
    assert cell.warnings("state_refused") == ["Mine.load_state: KeyError: 'closes'"]


def test_a_state_that_cannot_be_kept_is_a_fault_by_name_and_costs_no_restart(world: World):
    cell = born(world, 1, "def save_state(self):\n    return {'book': {1, 2}}")
    for _ in range(8):
        world.engine.say(1, TakeCheckpoint())
    world.until(lambda: len(cell.warnings("error")) == 8, "eight faults")
    assert {"state.book is a set" in told for told in cell.warnings("error")} == {True}
    assert {told.partition(":")[0] for told in cell.warnings("error")} == {"save_state"}
    assert cell.died is None
    assert world.engine.of(Checkpoint) == []
