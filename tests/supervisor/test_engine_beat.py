"""What the engine does as time goes by: when it marks its tape."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bus.clock import FeedClock
from supervisor.engine import beat as module
from supervisor.engine.beat import MARK_BYTES, MARK_EVERY, SECOND, Beat
from supervisor.engine.publication import Publication
from supervisor.store.tape import Tape

SEGMENT = 10_000


class World:
    """A beat over a real tape; ``size`` is how large the next marks are."""

    def __init__(self, tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0
        self.size = 100
        self.tape = tape
        self.captured = 0
        self.history = SimpleNamespace(behind=False, flush=lambda: None)
        self.publication = Publication(tape, lambda _: None)
        monkeypatch.setattr("time.monotonic_ns", lambda: self.now)
        monkeypatch.setattr(module, "mark", self.capture)
        engine: Any = SimpleNamespace(
            publication=self.publication,
            settle=lambda: None,
            history=self.history,
            event_now=lambda _: 0,
            core=SimpleNamespace(keep=lambda _: SimpleNamespace(records=[])),
        )
        self.beat = Beat(engine)

    def capture(self, _: Any) -> bytes:
        self.captured += 1
        return b"mark||" + bytes(self.size)

    def turn(self, later: int = 0, data: int = 0) -> int:
        """Go round once; return how many bytes of marks that cost."""
        self.now += later
        if data:
            self.publication.publish(b"d" * data)
            self.publication.flush()
        before = self.tape.end
        self.beat.mark(self.now)
        return self.tape.end - before


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with Tape.open(tmp_path / "tape", segment=SEGMENT) as tape:
        yield World(tape, monkeypatch)


def test_a_mark_is_made_every_few_seconds_and_first_in_a_segment(world: World) -> None:
    assert world.turn()
    assert not world.turn(MARK_EVERY - 1, data=10)
    assert world.turn(1)
    assert not world.turn(1, data=SEGMENT - 1000)
    assert world.turn(1, data=1000)
    assert world.tape.last(b"mark||") is not None


def test_marks_that_fill_a_segment_alone_are_not_made_turn_after_turn(world: World) -> None:
    world.size = 2 * SEGMENT
    assert world.turn()
    assert [0] * 100 == [world.turn(1) for _ in range(100)]
    # Nor are they most of what is on the tape.
    assert 0 == world.turn(1, data=SEGMENT)
    assert world.turn(1, data=SEGMENT)


def test_while_candles_cannot_be_archived_no_mark_is_made_and_nothing_captured(world: World) -> None:
    """What a market captures it tells once: a capture that is thrown away would be lost (bus/stream.py)."""
    assert world.turn()
    world.history.behind = True
    assert [0] * 10 == [world.turn(MARK_EVERY, data=10) for _ in range(10)]
    assert 1 == world.captured
    world.history.behind = False
    assert world.turn(SECOND)
    assert 2 == world.captured


def test_the_larger_marks_are_the_rarer_they_come(world: World) -> None:
    world.size = 10 * MARK_BYTES
    assert world.turn()
    assert 0 == world.turn(10 * SECOND)
    assert world.turn(SECOND)


def test_time_passes_for_an_order_by_the_clock_of_its_feed_alone(world: World) -> None:
    """After a restart there are orders before there are feeds: by the wall clock all may be over."""
    asked: list[tuple[int, int, int]] = []
    heard, unheard = FeedClock(), FeedClock()
    streams = {
        "X": SimpleNamespace(clock=heard, source="main"),
        "Y": SimpleNamespace(clock=unheard, source=None),
    }
    engine: Any = SimpleNamespace(
        feeds={},
        market=SimpleNamespace(streams=streams),
        core=SimpleNamespace(pulse=lambda now, clock: asked.append((now, clock("X"), clock("Y")))),
        take=lambda _: None,
        trading=SimpleNamespace(look=lambda _: None),
        approvals=SimpleNamespace(look=lambda: None),
        event_now=lambda monotonic: max(heard.now(monotonic), 1),
    )
    beat = Beat(engine)
    beat._let_time_pass(0)
    engine.feeds["main"] = SimpleNamespace(clock=heard)
    beat._let_time_pass(0)
    assert asked == []
    heard.advance(7 * SECOND, 0)
    beat._let_time_pass(SECOND)
    assert asked == [(8 * SECOND, 8 * SECOND, 0)]
