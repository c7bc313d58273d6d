"""What a strategy process has loaded: the standard library, numpy, the codecs, and a strategy's own side."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from sandbox.settling import KEPT_OF_OURS
from tests.sandbox.world import World

PURE = sysconfig.get_path("purelib")
AUTHORS_SIDE = {
    "api", "books", "boundary", "calls", "checkpoints", "config", "context", "data", "differing", "errors",
    "exports", "forming", "host", "in_force", "indicator_set", "indicators", "json_values", "market",
    "nearest", "outputs", "phases", "questions", "remembering", "rolling", "snapshot", "stamping",
    "state", "timers", "wall",
}  # fmt: skip
"""Modules of ``strategies`` that a running strategy needs: not the engine's, not the daemon's."""


@pytest.fixture
def loaded(world: World) -> dict[str, str]:
    """Every module of a strategy process that answers, by name, with the file it came from."""
    cell = world.running("""
        def on_start(self, ctx, recovered):
            for name, module in sorted(sys.modules.items()):
                print(name, getattr(module, "__file__", None) or "-")
            print("done -")
    """)
    world.until(lambda: "done -" in cell.lines("out"), "the modules")
    lines = [line.split(maxsplit=1) for line in cell.lines("out")[:-1]]
    assert len(lines) > 200
    return dict(lines)


@pytest.mark.system
def test_a_strategy_process_has_numpy_and_the_codecs_and_nothing_else_of_others(loaded):
    """By name, and by file: a module that calls itself one of Python's does not come from anywhere else."""
    outside = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = {"__main__", "_user_strategy", "bus", "sandbox", "strategies"}
    assert {name.partition(".")[0] for name in outside} - ours == {"numpy", "msgspec", "msgpack"}
    installed = {name for name, file in loaded.items() if f"{Path(file)}".startswith(PURE)}
    assert {name.partition(".")[0] for name in installed} <= {"numpy", "msgspec", "msgpack"}


@pytest.mark.system
def test_of_ours_it_has_what_a_strategy_needs_and_no_more(loaded):
    ours = {
        name
        for name in loaded
        if name.partition(".")[0] in {"bus", "sandbox", "strategies", "supervisor", "cli"}
    }
    assert ours == KEPT_OF_OURS | {"strategies"} | {f"strategies.{name}" for name in AUTHORS_SIDE}
