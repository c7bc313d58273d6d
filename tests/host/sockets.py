"""Sockets that systemd holds, and the fields that the journal has of the daemon."""

from __future__ import annotations

import json
import subprocess
import urllib.request

from tests.host.life import all_run
from tests.host.report import Report
from tests.host.service import STRATD, UNIT, active, ask, must, run, until

SOCKETS = ("stratd.socket", "stratd-http.socket")
HEALTH = "http://127.0.0.1:8003/health"


def check(report: Report) -> None:
    """Begin and end with the service stopped and its sockets closed."""
    report.check("sockets: who connects starts the service", _activation)
    report.check("sockets: TCP is served by the same daemon", _http)
    report.check("sockets: who asks during a restart waits, and is answered", _restart)
    report.check("journal: what is logged of a deployment can be asked for by field", _fields)
    report.check("sockets: stopping all leaves nothing that listens", _stop)


def _activation() -> str:
    assert not active()
    run("systemctl", "reset-failed", UNIT)  # of the starts before, of which StartLimitBurst= allows a few
    must("systemctl", "start", *SOCKETS)
    pid = ask("status")["pid"]
    until("every deployment runs", all_run)
    return f"daemon {pid}"


def _http() -> str:
    with urllib.request.urlopen(HEALTH, timeout=60) as answer:
        return f"{answer.status} {answer.read(60).decode()}"


def _restart() -> str:
    before = ask("status")["pid"]
    with subprocess.Popen(["systemctl", "restart", UNIT]) as restart:
        answers = []
        while restart.poll() is None:
            answers.append(run(STRATD, "status", "--json"))
    assert restart.returncode == 0
    until("every deployment runs", all_run)
    refused = [one.stderr for one in answers if "no daemon answers" in one.stderr]
    assert (refused, ask("status")["pid"] != before) == ([], True), refused
    return f"asked {len(answers)} times meanwhile"


def _fields() -> str:
    found = must("journalctl", "--no-pager", "-o", "json", "-u", UNIT, "STRATD_DEPLOYMENT=calm-0")
    entries = [json.loads(line) for line in found.splitlines()]
    assert entries
    assert {"calm-0"} == {one["STRATD_DEPLOYMENT"] for one in entries}
    return f"{len(entries)} entries, {sorted(name for name in entries[-1] if name.startswith('STRATD_'))}"


def _stop() -> str:
    must("systemctl", "stop", UNIT, *SOCKETS)
    assert run(STRATD, "status").returncode == 3
    return ""
