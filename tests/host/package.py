"""The Debian package: installed, used, removed and purged by dpkg."""

from __future__ import annotations

from pathlib import Path

from tests.host.report import Report
from tests.host.service import UNIT, active, must, processes, run, until

FILE = Path(__file__).resolve().parents[3] / "stratd.deb"
SHIPPED = (
    "/usr/bin/stratd",
    "/usr/share/man/man1/stratd.1.gz",
    "/usr/share/bash-completion/completions/stratd",
    "/usr/share/zsh/vendor-completions/_stratd",
    "/usr/share/fish/vendor_completions.d/stratd.fish",
    "/lib/systemd/system/stratd.service",
)


def given() -> bool:
    """Whether there is one to look at."""
    return FILE.exists()


def check(report: Report) -> None:
    """Live through all that dpkg does with it."""
    report.check("dpkg installs the package", lambda: must("dpkg", "--install", str(FILE)).splitlines()[-1])
    report.check("command, manual page, completions and units are there", _shipped)
    report.check("the service of the package starts", _starts)
    report.check("bash completes a verb", _completes)
    report.check("the same version again changes nothing that runs", _again)
    report.check("remove ends the service and keeps settings and state", _remove)
    report.check("purge leaves nothing", _purge)


def _shipped() -> str:
    missing = [path for path in SHIPPED if not Path(path).exists()]
    # Documentation and manuals are left out of a minimal root (dpkg.cfg, path-exclude).
    assert [path for path in missing if "/man/" not in path] == []
    return must("/usr/bin/stratd", "--version").strip()


def _starts() -> str:
    must("systemctl", "enable", "--now", UNIT)
    until("it answers", lambda: run("/usr/bin/stratd", "status").returncode == 0)
    return f"{len(processes())} processes"


def _completes() -> str:
    typed = {"COMP_WORDS": "stratd sys", "COMP_CWORD": "1", "_STRATD_COMPLETE": "complete_bash"}
    found = run("/usr/bin/stratd", **typed).stdout.split()
    assert found == ["systemd"], found
    return found[0]


def _again() -> str:
    before = processes()
    must("dpkg", "--install", str(FILE))
    assert (active(), processes()) == (True, before)
    return ""


def _remove() -> str:
    must("dpkg", "--remove", "stratd")
    assert processes() == {}
    there = [
        path for path in ("/etc/stratd/stratd.toml", "/var/lib/stratd/journal.db") if Path(path).exists()
    ]
    assert (len(there), Path("/opt/stratd").exists(), active()) == (2, False, False)
    return ", ".join(there)


def _purge() -> str:
    must("dpkg", "--purge", "stratd")
    left = [
        path for path in ("/etc/stratd", "/var/lib/stratd", "/opt/stratd", *SHIPPED) if Path(path).exists()
    ]
    assert left == []
    return ""
