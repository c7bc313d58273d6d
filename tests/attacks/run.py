"""Commit acts in the setting that ``stage`` made; write a ``Run`` as JSON to stdout.

python -m tests.attacks.stage root|userns|bare           all acts
python -m tests.attacks.stage userns fork_bomb 005       those whose name contains one of these
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil

from sandbox.confine.cgroup import Discovery, discover
from tests.attacks.arena import Arena
from tests.attacks.catalogue import acts
from tests.attacks.host import changed, left, picture
from tests.attacks.results import Run

EMPTY = (Path("/tmp"), Path("/dev/shm"), Path("/dev/mqueue"))
"""Folders in which nothing is left: those that everybody may write to."""


def main(setting: str, wanted: list[str]) -> None:
    chosen = [act for act in acts() if not wanted or any(word in act.name for word in wanted)]
    # As a daemon that is root has it; in the other settings limits alone must hold.
    found = discover(f"attacks-{os.getpid()}") if setting == "root" else Discovery(None, "not tried")
    if found.tree is not None:
        found.tree.claim()  # else the next daemon that starts here takes its folder for that of a dead one
    before = picture(*EMPTY)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        Path(folder).chmod(0o755)
        arena = Arena(Path(folder), os.environ["EXCHANGE_KEY"], found.tree)
        try:
            arena.open()
            size = _size()
            results = arena.fight(chosen)
            neighbour = arena.rest()
            grown = _size() - size
            harmed = arena.victims.harmed()
        finally:
            arena.close()
    after = picture(*EMPTY)
    survey = arena.nursery.survey
    assert survey is not None
    run = Run(
        setting=survey.setting,
        refusal=survey.refusal,
        layers={layer.name: layer.detail for layer in survey.layers if layer.active},
        groups=found.tree.label if found.tree else found.detail,
        acts=results,
        neighbour=neighbour,
        memory=grown,
        harmed=harmed,
        changed=changed(before, after),
        left=left(before, after),
        seconds=time.monotonic() - began,
    )
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(run)))
    assert survey.setting == setting, f"{survey.setting} is not the setting that was asked for"


def _size() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
