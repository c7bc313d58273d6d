"""Cells that run a copy: under the name of the original, also where only the daemon may enter the folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.confine.attempt import survey
from tests.sandbox.world import World

pytestmark = pytest.mark.system
STRATEGY = """
import os
import pricing
from strategies.api import IStrategy

class Mine(IStrategy):
    def initialize(self, config):
        import late, tool
        print(os.getuid(), pricing.PRICE, late.PRICE, tool.PRICE, flush=True)

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        raise ValueError("on purpose")
"""


@pytest.fixture(params=["root" if os.geteuid() == 0 else "userns", "bare"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    found = survey(request.param)
    if found.refusal or found.setting != request.param:
        pytest.skip(f"not on this host: {found.refusal or found.setting}")
    world = World(tmp_path, found)
    world.nursery.start()
    yield world
    world.close()


def test_a_copy_that_only_the_daemon_can_enter_runs_under_the_name_of_the_original(world: World):
    code, packages = world.folder / "state" / "code", world.folder / "state" / "packages"
    code.mkdir(parents=True)
    packages.mkdir()
    (code / "strategy.py").write_text(STRATEGY)
    (code / "pricing.py").write_text("PRICE = 1\n")
    (code / "late.py").write_text("PRICE = 2\n")
    (packages / "tool.py").write_text("PRICE = 3\n")
    (world.folder / "state").chmod(0o700)
    world.folder.chmod(0o711)
    cell = world.running("", code_path="/srv/mine", stored=str(code), packages=str(packages))
    world.until(lambda: cell.lines("out"), "the print")
    uid, *prices = cell.lines("out")[0].split()
    assert prices == ["1", "2", "3"]
    assert (int(uid) != 0) == (os.geteuid() != 0 or world.nursery.survey.has("credentials"))
    world.engine.ticks("EURUSD", 1.0)
    world.until(lambda: cell.warnings("error"), "the traceback")
    assert 'File "/srv/mine/strategy.py", line 15, in on_tick' in cell.warnings("error")[0]
