"""What a daemon's cell runs is what its catalogue hashed, whatever was put in its place before the birth."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.supervisor.rig import Rig, Scene

pytestmark = pytest.mark.system


ON_PAUSE = """
    def on_pause(self, reason):
        import pricing
        print(pricing.WORD, flush=True)
"""


def say(rig: Rig, word: str) -> Path:
    return rig.strategy("mine", initialize=f"print('I am {word}', flush=True)")


def said(rig: Rig) -> list[str]:
    log = rig.base / "state" / "logs" / "mine.log"
    if not log.exists():
        return []
    return [line.partition("I am ")[2] for line in log.read_text().splitlines() if "I am " in line]


async def hear(scene: Scene, rig: Rig, *words: str) -> None:
    async def heard():
        return said(rig) == list(words)

    await scene.until(heard, f"{words}, so far {said(rig)}")


def test_a_file_that_was_edited_since_the_scan_runs_after_the_next_scan(rig):
    folder = say(rig, "first")

    async def scenario(scene: Scene):
        await scene.start("mine")
        (folder / "strategy.py").write_text("this is half an edit(")
        await scene.verb("restart", "mine")
        await hear(scene, rig, "first", "first")
        before = (await scene.port.describe("mine")).code_hash
        say(rig, "second")
        assert (await scene.port.rescan()).changed == ["mine@1.0.0"]
        await scene.verb("restart", "mine")
        await hear(scene, rig, "first", "first", "second")
        assert (await scene.port.describe("mine")).code_hash != before

    rig.run(scenario)


def test_a_link_that_takes_the_place_of_the_folder_leads_nowhere(rig):
    folder = say(rig, "first")

    async def scenario(scene: Scene):
        evil = rig.base / "evil"
        shutil.copytree(folder, evil)
        (evil / "strategy.py").write_text((folder / "strategy.py").read_text().replace("first", "evil"))
        shutil.rmtree(folder)
        folder.symlink_to(evil)
        await scene.start("mine")
        await hear(scene, rig, "first")
        assert (await scene.port.describe("mine")).code_path == str(folder)

    rig.run(scenario)


def test_what_runs_keeps_its_files_while_newer_ones_are_scanned(rig):
    folder = rig.strategy("mine")
    code = (folder / "strategy.py").read_text()
    (folder / "strategy.py").write_text(f"{code}{ON_PAUSE}")
    (folder / "pricing.py").write_text("WORD = 'I am first'\n")

    async def scenario(scene: Scene):
        await scene.start("mine")
        (folder / "pricing.py").write_text("WORD = 'I am second'\n")
        await scene.port.rescan()
        await scene.verb("pause", "mine")
        await hear(scene, rig, "first")
        assert len(list((rig.base / "state" / "code").iterdir())) == 3  # idle, and both of mine
        await scene.verb("stop", "mine")
        await scene.port.rescan()
        assert len(list((rig.base / "state" / "code").iterdir())) == 2

    rig.run(scenario)
