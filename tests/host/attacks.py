"""The hostile strategies of ``tests/attacks``, under a copy of the unit with all of its hardening."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from tests.attacks.catalogue import acts
from tests.host.hardening import PLACE, copy_of_unit
from tests.host.report import Report
from tests.host.service import PATIENCE, STRETCH, journal, must

PYTHON = "/opt/stratd/current/bin/python"
ROOT = Path(__file__).resolve().parents[2]
WORDS = (ROOT.parent / "attacks").read_text()
"""Which of them, by parts of their names; all if it says nothing."""


MINUTES = 20
"""For all of them on an emulated processor; a minute on a real one."""
EARLIER = {
    "fs_setuid_file": r"denied:EPERM",  # RestrictSUIDSGID=
    "kern_numbers_of_i386": r"denied:EPERM",  # MemoryDenyWriteExecute=: no machine code of one's own
    "py_code_of_its_own": r"denied:EPERM",
    "proc_outlive_the_abort": r"raised:MemoryError",  # nor one that ctypes makes
    "proc_threads_that_start_threads": r"denied:EPERM",
}
"""What a directive of the unit refuses before the sandbox has to: outcomes besides those of the catalogue."""


def check(report: Report) -> None:
    """Commit them, and judge as tests/attacks/test_attacks.py does."""
    found: dict[str, Any] = {}
    report.check("the attacks run under the unit's hardening", lambda: _fight(found))
    report.check("attacks: each is contained", lambda: _contained(found))
    report.check("attacks: nobody was harmed, nothing is left or changed", lambda: _harmless(found))


def _fight(found: dict[str, Any]) -> str:
    out = PLACE / "fought"
    name = copy_of_unit(
        "stratd-attacks",
        f"{PYTHON} -B -m tests.attacks.stage userns {WORDS}",
        f"StandardOutput=truncate:{out}",
        f"WorkingDirectory={ROOT}",
        "UnsetEnvironment=PYTHONSAFEPATH",  # what is run lies there
        f"TimeoutStartSec={MINUTES * 60}",
        f"Environment=ATTACKS_STRETCH={STRETCH:.1f}",
    )
    try:
        must("systemctl", "start", name, patience=MINUTES * 60 + PATIENCE)
    except AssertionError as error:
        raise AssertionError(f"{error}; {journal('-n', '5', unit=name)}") from None
    found.update(json.loads(out.read_text()))
    assert {"namespaces", "mounts", "landlock", "seccomp", "credentials"} <= set(found["layers"])
    return f"{len(found['acts'])} in {found['seconds']:.0f} s, setting {found['setting']}, {found['groups']}"


def _contained(found: dict[str, Any]) -> str:
    escaped = []
    expected = {act.name: act.expect for act in acts()}
    for name, act in found["acts"].items():
        outcome = act["outcome"]
        contained = f"{expected[name]}|{EARLIER[name]}" if name in EARLIER else expected[name]
        if not re.search(contained, outcome) or "ESCAPED" in outcome or act["left"]:
            escaped.append(f"{name}: {outcome} (expected {contained}), left {act['left']}")
    assert escaped == [], escaped
    assert found["acts"]
    return str(len(found["acts"]))


def _harmless(found: dict[str, Any]) -> str:
    assert (found["harmed"], found["changed"], found["left"]) == ([], [], [])
    neighbour = found["neighbour"]
    assert (neighbour["deaths"], neighbour["answered"]) == ([], neighbour["asked"])
    return f"a neighbour answered {neighbour['asked']} of {neighbour['asked']}"
