"""What one engine left behind, and how the next one goes on with it: real processes on one folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from bus import topics
from bus.messages import (
    Acked,
    Candles,
    CellCommand,
    OrderChanged,
    Schedule,
    SignalAck,
    Ticks,
    TimerFired,
    encode,
)
from supervisor.control import Configure, Detach, Expect, FeedSpec, Forget
from supervisor.engine.resume import MARK, Mark
from supervisor.store.journal import Journal
from supervisor.store.tape import Tape
from tests.supervisor.engine_harness import EngineProcess, FakeCell, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system
S = 1_000_000_000


class Lives:
    """Engines on one folder, one after the other, the publisher of their feed, and the cell of ``one``."""

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self.publisher = engine.feed()
        self.cell = engine.attach()
        self.welcome = self.cell.run()
        self.start = (time.time_ns() // S - 60) * S
        """Where the market begins: on a second, a minute ago."""
        self._published = 0

    def tick(self, at: int, price: float = 100.0) -> None:
        """Publish the next tick, ``at`` nanoseconds after the market began."""
        self._published += 1
        send_tick(self.publisher, "X", self.start + at, price, seq=self._published)

    def heard(self, ticks: int) -> None:
        """Wait until the cell has been told of so many ticks."""
        wait_until(lambda: len(self.cell.ticks()) == ticks, what=f"{ticks} ticks")

    def settle(self) -> None:
        """Return once the engine has done what the cell asked for: the next thing that it asks is judged."""
        self.cell.ask(intent="exit_all")

    def attach(self, deployment_id: str = "one", **given: Any) -> FakeCell:
        """Be another instance, or the warden of a living one that comes to the next engine."""
        self.cell.close()
        self.cell = self.engine.attach(deployment_id, **given)
        return self.cell

    def end(self, *, kill: bool = True) -> None:
        """End the engine that there is."""
        self.cell.close()
        if kill:
            self.engine.kill()
        else:
            assert 0 == self.engine.stop(), self.engine.stderr

    def begin(self) -> None:
        """Start an engine on what the last one left; tell it who reads what, and then of the feed."""
        self.engine = EngineProcess(self.engine.folder)
        self.engine.tell(Expect("one", ["X"], ["1s"]))
        self.engine.tell(Configure([FeedSpec(name="main", endpoint=f"ipc://{self.engine.folder}/feed-main")]))
        assert self.publisher.wait_for_subscriber(10)

    def begin_again(self) -> None:
        """Kill the engine, and start the next one."""
        self.end()
        self.begin()

    def told(self, kind: type) -> list[Any]:
        """Return what the cell is told, when it asks for all of it, of the kind ``kind``, in order."""
        frames, _ = self.cell.missed(0)
        return [message for _, message in frames if isinstance(message, kind)]


@pytest.fixture
def lives(engine: EngineProcess) -> Iterator[Lives]:
    made = Lives(engine)
    yield made
    made.cell.close()
    made.publisher.close()
    if made.engine.control.fileno() >= 0:
        assert 0 == made.engine.stop(), made.engine.stderr


def empty_tape(lives: Lives) -> Tape:
    """Return the tape of a dead engine, without anything that it had on it."""
    folder = lives.engine.folder / "state" / "tape"
    for segment in folder.glob("*.tape"):
        segment.unlink()
    (folder / "00000000000000000000.tape").touch()
    return Tape.open(folder)


def test_an_engine_goes_on_with_numbers_candles_and_prices_where_another_was_killed(lives: Lives) -> None:
    for number in range(1, 26):  # 2.5 seconds: two candles, and half of the third
        lives.tick(number * S // 10, 100.0 + number)
    lives.heard(25)
    lives.begin_again()
    living = lives.attach()
    back = living.run(tape=lives.welcome.tape)
    assert (back.resumes, back.tape, back.state, back.warmup) == (True, lives.welcome.tape, b"", [])
    # The price is the last one although no tick has come yet.
    ack = living.ask(data_as_of=lives.start + 25 * S // 10, reference_price=125.0, ttl_ms=600_000)
    assert ("accepted", "") == (ack.decision, ack.detail)
    for number in range(26, 41):
        lives.tick(number * S // 10, 100.0 + number)
    living.wait_filled()
    lives.heard(15)
    frames, _ = living.missed(lives.welcome.at)
    numbers = [m.seq + n for _, m in frames if isinstance(m, Ticks) for n in range(len(m.ticks))]
    assert list(range(1, 41)) == numbers
    closed = [c for _, m in frames if isinstance(m, Candles) for c in m.candles]
    # The third was half done when the engine died; each is told once, whole, and in order.
    expected = [(lives.start + n * S, 10, "ok", 100.0 + 10 * n, 109.0 + 10 * n) for n in (1, 2, 3)]
    assert expected == [(c.open_time, c.trades, c.quality, c.open, c.close) for c in closed if not c.partial]
    assert [1, 2, 3] == [m.seq for _, m in frames if isinstance(m, Candles)]


def test_what_was_decided_and_not_told_any_more_is_told_by_the_next_engine(lives: Lives) -> None:
    lives.tick(0)
    lives.heard(1)
    ack = lives.cell.ask(data_as_of=lives.start, data_key=1, ttl_ms=600_000)
    assert "accepted" == ack.decision
    acked = Acked(ack, 1)
    lives.tick(1)
    [filled] = lives.cell.wait_filled()
    [placed] = [one for one in lives.cell.heard if isinstance(one, OrderChanged)]
    assert (3, 2, True) == (filled.seq, placed.seq, acked in lives.cell.heard)
    lives.end()
    # As if it had been killed between the commit and the tape.
    with Tape.open(lives.engine.folder / "state" / "tape") as tape:
        kept, at = [], tape.begin
        while at < tape.end:
            frames, at = tape.read(at, 2**20)
            kept += frames
        assert any(topics.of(frame) == topics.cell("one") for frame in kept)
        identity = tape.identity
    with empty_tape(lives) as tape:
        assert tape.identity == identity
        tape.append([frame for frame in kept if topics.of(frame) != topics.cell("one")])
    lives.begin()
    lives.attach().run(tape=lives.welcome.tape)
    position = replace(filled.position, unrealised=0.0)  # at the fill's own price
    expected = [(1, acked), (2, placed), (3, replace(filled, position=position))]
    assert expected == [(m.seq, m.body) for m in lives.told(CellCommand)]


def test_what_is_in_no_journal_any_more_is_not_told_again(lives: Lives) -> None:
    """A lost journal: a cell that lives may not go on with positions that nobody else knows of."""
    lives.tick(0)
    lives.heard(1)
    lives.cell.ask(data_as_of=lives.start, data_key=1, ttl_ms=600_000)
    lives.tick(1)
    lives.cell.wait_filled()
    lives.end()
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (lives.engine.folder / "state" / name).unlink(missing_ok=True)
    lives.begin()
    living = lives.attach()
    back = living.run(tape=lives.welcome.tape)
    assert (back.resumes, back.positions, back.position["tick|X|"]) == (False, [], 2)
    assert back.tape != lives.welcome.tape
    assert 1 == len(lives.engine.events("tape_renumbered"))
    # The market goes on, and so do the numbers.
    lives.tick(2)
    wait_until(lambda: [t.seq for t in living.ticks()] == [3], what="the third tick")
    lives.begin_again()
    assert [] == lives.engine.events("tape_renumbered")
    assert lives.attach().run(tape=back.tape).resumes


def test_a_journal_that_ends_before_what_was_told_after_the_last_mark_is_found_out(lives: Lives) -> None:
    """A power cut took the journal's last commits, and not the end of the tape."""
    lives.tick(0)
    lives.heard(1)
    assert "rejected" == lives.cell.ask(intent="exit_all").decision
    lives.end()
    with Tape.open(lives.engine.folder / "state" / "tape") as tape:
        _, frame = tape.last(MARK)  # type: ignore[misc] # there is one
        marked = msgspec.msgpack.decode(frame.removeprefix(MARK), type=Mark)
        with Journal.open(lives.engine.folder / "state" / "journal.db") as journal:
            assert 1 == journal.last_seq
            tape.append([MARK + encode(replace(marked, journal_seq=1, journal_seed=journal.seed))])
        ack = SignalAck("key", "accepted", signal_id="lost")
        tape.append([topics.cell("one") + encode(CellCommand(1, Acked(ack, 2), 2))])
    lives.begin()
    [event] = lives.engine.events("tape_renumbered")
    assert "the journal ends at 1, and the tape tells of records up to 2" in event.detail
    back = lives.attach().run(tape=lives.welcome.tape)
    assert (back.resumes, back.tape != lives.welcome.tape) == (False, True)


def test_a_timer_that_was_set_before_the_engine_died_fires_once(lives: Lives) -> None:
    lives.tick(0)
    lives.heard(1)
    lives.cell.say(Schedule("soon", lives.start + 2 * S, 3 * S))
    lives.tick(3 * S)
    lives.cell.wait_heard(TimerFired)
    lives.begin_again()
    living = lives.attach()
    living.run(tape=lives.welcome.tape)
    living.say(Schedule("soon", lives.start + 2 * S, 3 * S))  # as a cell says again what it had asked for
    lives.settle()
    lives.tick(9 * S)
    living.wait_heard(TimerFired, lambda t: t.ts == lives.start + 8 * S)
    fired = [m.body for m in lives.told(CellCommand) if isinstance(m.body, TimerFired)]
    assert [TimerFired("soon", lives.start + n * S) for n in (2, 5, 8)] == fired


def test_a_timer_of_before_an_operators_start_is_forgotten_though_the_engine_died_at_once(
    lives: Lives,
) -> None:
    lives.tick(0)
    lives.heard(1)
    lives.cell.say(Schedule("old", lives.start + 2 * S))
    lives.settle()
    lives.attach(generation=2, begun=2).run()
    lives.begin_again()
    living = lives.attach(generation=3, begun=2)
    living.run()
    living.say(Schedule("new", lives.start + 2 * S))
    lives.settle()
    lives.tick(3 * S)
    lives.heard(1)
    assert ["new"] == [m.name for m in living.heard if isinstance(m, TimerFired)]


def test_a_timer_fires_in_its_place_though_the_engine_died_and_the_cell_is_not_back(lives: Lives) -> None:
    lives.tick(0)
    lives.heard(1)
    lives.cell.say(Schedule("soon", lives.start + 2 * S))
    lives.settle()
    lives.begin_again()
    living = lives.attach()
    living.run()
    lives.tick(3 * S)
    living.wait_heard(TimerFired)
    lives.heard(1)
    assert [TimerFired, Ticks] == [type(m) for m in living.heard if isinstance(m, TimerFired | Ticks)]


def test_of_a_deployment_that_was_removed_no_number_goes_on_to_one_of_its_name(lives: Lives) -> None:
    lives.settle()
    lives.cell.say(Schedule("old", lives.start))
    lives.settle()
    lives.cell.close()
    lives.engine.tell(Detach("one", 1))
    lives.engine.tell(Forget("one"))
    lives.attach("other").run()  # so that is done
    lives.begin_again()
    living = lives.attach()
    welcome = living.run()
    assert 0 == welcome.position["to|one|"]
    lives.settle()
    frames, _ = living.missed(welcome.at)
    assert [1] == [m.seq for _, m in frames if isinstance(m, CellCommand)]
    lives.tick(60 * S)
    lives.heard(1)
    assert [] == [m for m in living.heard if isinstance(m, TimerFired)]


def test_warm_up_reaches_back_before_the_engine_started(lives: Lives) -> None:
    for number in range(8):
        lives.tick(number * S, 100.0 + number)
    lives.heard(8)
    lives.end(kill=False)
    lives.begin()
    welcome = lives.attach("other", timeframes=["1s"], warmup=5).run()
    assert [lives.start + n * S for n in range(2, 7)] == [candle.open_time for candle in welcome.warmup]


def test_a_tape_that_nobody_can_go_on_from_is_moved_aside_and_told(lives: Lives) -> None:
    lives.end()
    with empty_tape(lives) as tape:
        tape.append([b"mark||of another version"])
    lives.begin()
    assert 1 == len(lives.engine.events("tape_quarantined"))
    assert (lives.engine.folder / "state" / "tape.damaged-1").is_dir()
    back = lives.attach().run(tape=lives.welcome.tape)
    assert (back.resumes, back.tape != lives.welcome.tape) == (False, True)
