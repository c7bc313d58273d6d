"""Phases of trading days from a real engine: in their place among the ticks, each once, over its death."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bus.messages import CellCommand, Schedule, Ticks, TimerFired
from bus.session_phases import WISH
from supervisor.control import EngineEvent
from tests.supervisor.engine_harness import EngineProcess
from tests.supervisor.test_engine_deaths import Lives

pytestmark = pytest.mark.system
S = 1_000_000_000
EVE = int(datetime(2024, 7, 2, 23, 44, tzinfo=UTC).timestamp()) * S


@pytest.fixture
def lives(engine: EngineProcess) -> Iterator[Lives]:
    made = Lives(engine)
    made.start = EVE
    yield made
    made.cell.close()
    made.publisher.close()
    if made.engine.control.fileno() >= 0:
        assert 0 == made.engine.stop(), made.engine.stderr


def test_phases_have_their_place_among_the_ticks_and_the_next_engine_goes_on_with_them(lives: Lives) -> None:
    """By the calendar of a feed that has none: each day ends at midnight, UTC."""
    lives.cell.say(Schedule(WISH, 0))
    lives.cell.say(Schedule("stratd:session:open:1970-01-02", 1))
    lives.settle()
    refused = lives.engine.wait_news(EngineEvent, lambda event: event.kind == "timer_refused")
    assert "'stratd:session:open:1970-01-02': such names are not a strategy's" in refused.detail
    lives.tick(0)  # 23:44
    lives.tick(61 * S)
    lives.heard(2)
    lives.begin_again()
    living = lives.attach()  # which has not asked the new engine
    living.run(tape=lives.welcome.tape)
    lives.tick(15 * 60 * S)  # 23:59
    lives.tick(16 * 60 * S)  # 00:00
    lives.heard(2)
    frames, _ = living.missed(0)
    told: list[str | int] = []
    for _, message in frames:
        if isinstance(message, Ticks):
            told += [(tick.ts - EVE) // S for tick in message.ticks]
        elif isinstance(message, CellCommand) and isinstance(message.body, TimerFired):
            told.append(message.body.name.removeprefix(f"{WISH}:"))
    before = ["pre_close:2024-07-02", "pre_open:2024-07-03"]
    assert [0, *before, 61, 900, "close:2024-07-02", "open:2024-07-03", 960] == told
