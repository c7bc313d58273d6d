"""A /proc that hides strategies from the daemon, which then has to say who still holds one.

Between ``begin`` and ``end`` the unit has ``ProtectProc=invisible``; whoever restarts it meanwhile gets that.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.host.hardening import PLACE, copy_of_unit
from tests.host.report import Report
from tests.host.service import STRATD, has_groups, must, row

DROP_IN = Path("/run/systemd/system/stratd.service.d/hidden.conf")


def begin(report: Report) -> None:
    """Ask for the doctor's word, and have the next start of the service see no strategy."""
    report.check("hidepid: doctor names what is missing, why and the command", _doctor)
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    DROP_IN.write_text("[Service]\nProtectProc=invisible\n")
    must("systemctl", "daemon-reload")


def end(report: Report) -> None:
    """See what a daemon that was started so says; the next start is as usual again."""
    report.check("hidepid: ps names who still holds a strategy, and nobody else", _enforcers)
    DROP_IN.unlink()
    must("systemctl", "daemon-reload")


def _doctor() -> str:
    out = PLACE / "doctor"
    name = copy_of_unit(
        "stratd-hidden",
        f"{STRATD} doctor --json",
        "ProtectProc=invisible",
        f"StandardOutput=truncate:{out}",
        "SuccessExitStatus=1",  # of a doctor who misses something that is demanded
    )
    must("systemctl", "start", name)
    sampler = next(view for view in json.loads(out.read_text())["host"] if view["name"] == "sampler")
    assert sampler["state"] == ("available" if has_groups() else "missing"), sampler
    assert ("hidepid" in sampler["detail"], "gid=" in sampler["command"]) == (True, True), sampler
    return f"{sampler['state']}: {sampler['detail']}"


def _enforcers() -> str:
    held = row("calm-0")["enforcer"]
    kernel = {"memory": "cgroup v2", "cpu": "cgroup v2"}
    assert held == (kernel if has_groups() else {"memory": "rlimit", "cpu": "none"}), held
    assert row("calm-0")["memory_mb"] is None, "what is not seen is not known"
    return f"memory {held['memory']}, cpu {held['cpu']}"
