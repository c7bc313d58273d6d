"""Commit acts in the setting that ``stage`` made; write a ``Run`` as JSON to stdout.

::

    python -m tests.attacks.stage root|userns|bare             all acts
    python -m tests.attacks.stage userns keyrings 005          those whose name contains one of these
    python -m tests.attacks.stage bare without=landlock trunc  without a layer: do that only to harmless ones
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

from sandbox.confine.attempt import survey
from sandbox.confine.cgroup import Discovery, discover
from sandbox.confine.survey import Survey
from tests.attacks.arena import Arena
from tests.attacks.catalogue import Act, acts
from tests.attacks.host import changed, left, picture
from tests.attacks.results import Run

EMPTY = (Path("/tmp"), Path("/dev/shm"), Path("/dev/mqueue"))
"""Folders in which nothing is left: those that everybody may write to."""


def main(setting: str, words: list[str]) -> None:
    missing = [word.removeprefix("without=") for word in words if word.startswith("without=")]
    wanted = [word for word in words if not word.startswith("without=")]
    chosen = [act for act in acts() if not wanted or any(word in act.name for word in wanted)]
    # As a daemon that is root has it; in the other settings limits alone must hold.
    groups = discover(f"attacks-{os.getpid()}") if setting == "root" else Discovery(None, "not tried")
    if groups.tree is not None:
        groups.tree.claim()  # else the next daemon that starts here takes its folder for that of a dead one
    run = fight(chosen, less(survey("auto"), missing), groups)
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(run)))
    assert run.setting == setting, f"{run.setting} is not the setting that was asked for"


def less(found: Survey, missing: list[str]) -> Survey:
    """Return ``found`` without some layers, as if untrusted code could be held all the same."""
    layers = [
        msgspec.structs.replace(one, active=one.active and one.name not in missing) for one in found.layers
    ]
    return msgspec.structs.replace(found, layers=layers, refusal="" if missing else found.refusal)


def fight(chosen: list[Act], found: Survey, groups: Discovery) -> Run:
    """Commit acts, and look at what they have done to anybody."""
    before = picture(*EMPTY)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="attacks-") as folder:
        Path(folder).chmod(0o755)
        arena = Arena(Path(folder), os.environ["EXCHANGE_KEY"], found, groups.tree)
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
    return Run(
        setting=found.setting,
        refusal=found.refusal,
        layers={layer.name: layer.detail for layer in found.layers if layer.active},
        groups=groups.tree.label if groups.tree else groups.detail,
        acts=results,
        neighbour=neighbour,
        memory=grown,
        harmed=harmed,
        changed=changed(before, after),
        left=left(before, after),
        seconds=time.monotonic() - began,
    )


def _size() -> int:
    gc.collect()
    return int(psutil.Process().memory_info().rss)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
