"""The same ticks give the same signals, in two cells and in two runs; with another seed they give others."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bus.messages import Signal
from tests.sandbox.world import NOON, SECOND, World, new_world

pytestmark = pytest.mark.system

# Everything of chance that an author may reach for, and what looks like none: the order of a set, a hash.
GAMBLER = """
import random

import numpy as np
from bus.messages import Signal
from strategies.api import IStrategy


class Gambler(IStrategy):
    def initialize(self, config):
        self.names = {f"name-{n}" for n in range(50)}
        self.first = (random.random(), np.random.random(), self.ctx.rng.random())

    def on_start(self, ctx, recovered):
        self.began = ctx.now

    def signal(self, kind):
        drawn = (random.random(), random.choice(sorted(self.names)), np.random.normal(), *self.first)
        mixed = [*random.sample(range(100), 5), *np.random.permutation(5), *self.ctx.rng.integers(0, 9, 5)]
        words = [next(iter(self.names)), hash("EURUSD"), *frozenset("abcdefgh")]
        self.names.discard(words[0])
        age = self.ctx.now - self.began
        tags = {"kind": kind, "drawn": drawn, "mixed": mixed, "words": words, "age": age}
        return Signal(
            symbol="EURUSD",
            intent="enter_long",
            quantity=float(self.ctx.rng.exponential()) + 0.001,
            tags={key: str(value)[:256] for key, value in tags.items()},
        )

    def on_tick(self, data):
        return self.signal("tick")

    def on_candle_complete(self, timeframe, candle, data):
        return self.signal("candle")
"""


def play(world: World, *seeds: int) -> list[list[Signal]]:
    """Run a cell for each seed over the same market; return what each of them asked for."""
    cells = [world.running(GAMBLER, seed=seed) for seed in seeds]
    for minute in range(1, 11):
        world.engine.ticks("EURUSD", *(1.0 + minute / 100 + n / 1000 for n in range(3)))
        world.engine.candle("EURUSD", "1m", NOON + minute * 60 * SECOND, 1.0 + minute / 100)
    names = [cell.handle.deployment_id for cell in cells]

    def said() -> list[list[Signal]]:
        return [
            [
                one
                for user, report in world.engine.said
                if user.startswith(f"{name}:")
                for one in signals_of(report)
            ]
            for name in names
        ]

    world.until(lambda: all(len(signals) >= 40 for signals in said()), "40 signals of each")
    return said()


def signals_of(report: object) -> list[Signal]:
    return getattr(report, "signals", [])


def test_two_cells_and_two_runs_give_the_same_signals_and_another_seed_gives_others(tmp_path: Path):
    runs = []
    for run in ("first", "second"):
        folder = tmp_path / run
        folder.mkdir()
        with new_world(folder) as world:
            runs.append(play(world, 1, 1, 2))
    (one, same, other), again = runs
    assert len(one) == 40
    assert {signal.tags["kind"] for signal in one} == {"tick", "candle"}
    assert (
        len({signal.tags["drawn"] for signal in one}) == 40
    )  # chance is at work, or this would show nothing
    assert one == same
    assert [one, same, other] == again
    assert [signal.quantity for signal in one] != [signal.quantity for signal in other]
    assert msgspec.msgpack.encode(one) == msgspec.msgpack.encode(again[0])
