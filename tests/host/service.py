"""The service as an operator sees it: systemctl, journalctl, the command line, /proc, control groups."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.waiting import wait_until

UNIT = "stratd.service"
STRATD = "/opt/stratd/current/bin/stratd"
PATIENCE = 120.0
"""Seconds that only a failure waits: an emulated processor is ten times slower than a real one."""
T = TypeVar("T")


def until(what: str, condition: Callable[[], T], patience: float = PATIENCE) -> T:
    """Return the first truthy value of ``condition``; ``AssertionError`` after ``patience`` seconds."""
    return wait_until(condition, timeout=patience, what=what)


def run(*command: str, patience: float = PATIENCE, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever its status."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=patience, check=False, env={**os.environ, **environ}
    )


def must(*command: str, **environ: str) -> str:
    """Run a command that has to succeed; return what it printed."""
    done = run(*command, **environ)
    assert done.returncode == 0, (
        f"{' '.join(command)}: {done.returncode}: {done.stderr.strip() or done.stdout}"
    )
    return done.stdout


def stratd(*arguments: str) -> str:
    """Run one command line of stratd that has to succeed."""
    return must(STRATD, *arguments)


def ask(*arguments: str) -> Any:
    """Return the document that a read verb prints."""
    return json.loads(stratd(*arguments, "--json"))


def row(deployment: str) -> dict[str, Any]:
    """Return the row of one deployment, {} while no daemon answers."""
    done = run(STRATD, "ps", "--json")
    rows = json.loads(done.stdout) if done.returncode == 0 else []
    return next((one for one in rows if one["id"] == deployment), {})


def prop(name: str, unit: str = UNIT) -> str:
    """Return a property of a unit (systemctl(1))."""
    return must("systemctl", "show", "-P", name, unit).strip()


def active(unit: str = UNIT) -> bool:
    """Whether a unit is up: of Type=notify, whether it said READY=1."""
    return run("systemctl", "is-active", unit).stdout.strip() == "active"


def main_pid() -> int:
    """Return the pid of the daemon, 0 if there is none."""
    return int(prop("MainPID"))


def journal(*fields: str, unit: str = UNIT) -> str:
    """Return what the journal has of a unit, systemd's own words included."""
    return must("journalctl", "--no-pager", "-o", "cat", "-u", unit, *fields)


def processes(user: str = "stratd") -> dict[int, str]:
    """Return every living process of a user: pid -> command line."""
    uid, found = pwd.getpwnam(user).pw_uid, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            owner = next(
                int(line.split()[1])
                for line in (folder / "status").read_text().splitlines()
                if line.startswith("Uid:")
            )
            if owner == uid and (command := (folder / "cmdline").read_bytes()):
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        except (OSError, StopIteration):  # it ended meanwhile
            continue
    return found


def own_group() -> Path:
    """Return the control group of the service; it is gone when the service is."""
    return Path("/sys/fs/cgroup") / prop("ControlGroup").lstrip("/")


def cell_group(deployment: str) -> Path:
    """Return the control group of a deployment's strategy process."""
    pid = until(f"{deployment} has a process", lambda: row(deployment).get("pid"))
    path = Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("::")[2]
    return Path("/sys/fs/cgroup") / path.lstrip("/")


def has_groups() -> bool:
    """Whether this host has version 2 with the controllers that bound a cell."""
    file = Path("/sys/fs/cgroup/cgroup.controllers")
    return file.exists() and {"memory", "cpu", "pids"} <= set(file.read_text().split())


def state_of(deployment: str, *states: str) -> Callable[[], bool]:
    """Return a condition: a deployment is in one of these states."""
    return lambda: row(deployment).get("state") in states
