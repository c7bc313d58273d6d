"""Changing to another version, and back from one that does not start."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

from tests.host.life import all_run
from tests.host.report import Report
from tests.host.service import STRATD, UNIT, active, journal, main_pid, must, processes, run, until

RELEASES = Path("/opt/stratd/releases")
CURRENT = Path("/opt/stratd/current")
GOOD, BROKEN, NEWER = "9.9.8", "9.9.9", "9.9.10"
STATE = Path("/var/lib/stratd")


def check(report: Report) -> None:
    """Upgrade twice: to a version that works, and to one that does not."""
    report.check("install again: started at boot, and nothing that runs is touched", _install_again)
    report.check("upgrade: every deployment goes on in the new version", _upgrade)
    report.check("upgrade: one that is not ready goes back by itself", _rollback)
    report.check("upgrade: what it had migrated by then is given back", _rollback_migrated)


def copy(name: str) -> Path:
    """Make another release of the one that runs: all links but the command, which names its interpreter."""
    old, new = CURRENT.resolve(), RELEASES / name
    shutil.copytree(old, new, copy_function=os.link, symlinks=True)
    command = new / "bin" / "stratd"
    text = (old / "bin" / "stratd").read_text().replace(str(old), str(new))
    command.unlink()
    command.write_text(text)
    command.chmod(0o755)
    return new


def edit(file: Path, old: str, new: str) -> None:
    """Change a file of a release, and of no other: they share their content (``copy``)."""
    text = file.read_text()
    assert re.search(old, text, re.MULTILINE), f"{file} has no {old}"
    file.unlink()
    file.write_text(re.sub(old, new, text, count=1, flags=re.MULTILINE))


def journal_format() -> int:
    """Return the number of the journal's format, as the state directory says it."""
    return int(json.loads((STATE / "formats.json").read_text())["formats"]["journal"])


def _install_again() -> str:
    before = processes()
    done = run(STRATD, "systemd", "install")
    assert done.returncode == 0, done.stderr
    assert (processes(), must("systemctl", "is-enabled", UNIT).strip()) == (before, "enabled")
    return done.stdout.strip()


def _upgrade() -> str:
    copy(GOOD)
    until("every deployment runs", all_run)
    done = run(STRATD, "systemd", "upgrade", "--release", GOOD)
    assert done.returncode == 0, done.stderr
    until("every deployment runs", all_run)
    command = Path(f"/proc/{main_pid()}/cmdline").read_bytes().split(b"\0")[0].decode()
    assert (CURRENT.resolve().name, command.startswith(f"{RELEASES}/{GOOD}/")) == (GOOD, True), command
    return done.stdout.strip().splitlines()[-1]


def _rollback() -> str:
    # Started by systemd it ends at once; asked for its version, as an installation does, it seems well.
    command = copy(BROKEN) / "bin" / "stratd"
    command.write_text(f'#!/bin/sh\n[ "$1" = serve ] && exit 70\nexec {RELEASES}/{GOOD}/bin/stratd "$@"\n')
    done = run(STRATD, "systemd", "upgrade", "--release", BROKEN)
    assert done.returncode == 1, done.stdout
    assert (active(), CURRENT.resolve().name) == (True, GOOD)
    until("every deployment runs", all_run)
    assert "status=70" in journal()
    return done.stderr.strip().splitlines()[-1]


def _rollback_migrated() -> str:
    # A later version with a journal of another format, that fails once it has migrated.
    before = journal_format()
    (package,) = copy(NEWER).glob("lib/python3*/site-packages/supervisor")
    edit(package / "store/journal_file.py", r"^VERSION: Final = \d+$", f"VERSION: Final = {before + 1}")
    edit(
        package / "store/journal_file.py",
        r"^UPGRADES: Final = {$",
        f'UPGRADES: Final = {{\n    {before}: "",',
    )
    edit(package / "main.py", r"await daemon\.go_on\(\)$", 'raise Failed("broken on purpose")')
    done = run(STRATD, "systemd", "upgrade", "--release", NEWER)
    assert (done.returncode, f"{GOOD} was put back and runs" in done.stderr) == (1, True), done.stderr
    until("every deployment runs", all_run)
    told = journal()
    assert ("broken on purpose" in told, f"journal {before} -> {before + 1}" in told) == (True, True)
    assert (active(), CURRENT.resolve().name, journal_format()) == (True, GOOD, before)
    assert not (STATE / "before-upgrade").exists()
    return done.stderr.strip().splitlines()[-1]
