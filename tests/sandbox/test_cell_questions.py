"""Questions of operators in a real cell: answered once each, in order, and by nobody who was not asked."""

from __future__ import annotations

from typing import Any

import pytest

from bus.messages import CellAnswer, Checkpoint, Commanded, Inspect, Signals, TakeCheckpoint
from tests.sandbox.world import World

pytestmark = pytest.mark.system

BIASED = """
def initialize(self, config):
    self.bias = 1.0
def on_tick(self, data):
    return buy(limit_price=self.bias)
def on_command(self, name, payload):
    if name == "set":
        self.bias = payload["bias"]
        return {"bias": self.bias}
    raise ValueError(f"no {name}")
def inspect(self):
    return {"bias": self.bias}
def save_state(self):
    if self.bias > 5:
        raise ValueError("too much to keep")
    return {}
"""
ANSWERS_AHEAD = """
def on_tick(self, data):
    os.write(3, b"\\x93\\x0b\\xc4\\x011\\xa0")
"""
"""The word ``Answer(b"1", "")``, of a turn that asks nothing."""
ANSWERS_TWICE = """
def on_command(self, name, payload):
    os.write(3, b"\\x93\\x0b\\xc4\\x011\\xa0")
    return 2
"""


def ask(world: World, body: Any) -> CellAnswer:
    """Tell the cell something that it answers; return the answer."""
    world.engine.command("cell-0", 1, body)
    return world.until(
        lambda: next((a for a in world.engine.of(CellAnswer) if a.request == body.request), None),
        f"the answer to {body}",
    )


def test_a_life_of_questions(world: World):
    world.running(BIASED)
    assert CellAnswer(1, "done", b'{"bias":1.0}') == ask(world, Inspect(1))
    world.engine.ticks("EURUSD", 1.0)
    world.engine.command("cell-0", 1, Commanded("set", b'{"bias": 3.0}', 2))
    world.engine.ticks("EURUSD", 1.0)
    world.until(lambda: len(world.engine.signals()) == 2, "a signal of before, and one of after")
    assert [1.0, 3.0] == [one.limit_price for one in world.engine.signals()]
    kinds = [type(report) for _, report in world.engine.said if type(report) in (Signals, CellAnswer)]
    assert [CellAnswer, Signals, CellAnswer, Signals] == kinds
    assert CellAnswer(3, "failed", why="ValueError: no dance") == ask(world, Commanded("dance", b"1", 3))
    assert CellAnswer(4, "done") == ask(world, TakeCheckpoint(4))
    assert 1 == len(world.engine.of(Checkpoint))
    ask(world, Commanded("set", b'{"bias": 9.0}', 5))
    said = ask(world, TakeCheckpoint(6))
    assert ("failed", "save_state made none that can be kept; its log says why") == (said.outcome, said.why)
    assert 1 == len(world.engine.of(Checkpoint))
    assert [1, 2, 3, 4, 5, 6] == [one.request for one in world.engine.of(CellAnswer)]


@pytest.mark.parametrize("code", [ANSWERS_AHEAD, ANSWERS_TWICE], ids=["ahead", "twice"])
def test_an_answer_that_nobody_asked_for_ends_the_cell(world: World, code: str):
    cell = world.running(code)
    world.engine.ticks("EURUSD", 1.0)
    world.engine.command("cell-0", 1, Commanded("set", b"1", 1))
    died = world.ended(cell)
    assert ("protocol", "an answer that nobody asked for") == (died.cause, died.detail)
    assert len(world.engine.of(CellAnswer)) <= 1
