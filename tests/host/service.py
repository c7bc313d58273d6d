"""The service as an operator sees it: systemctl, journalctl, the command line, /proc, control groups."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.waiting import wait_until

UNIT = "stratd.service"
STRATD = "/opt/stratd/current/bin/stratd"
API = "/run/stratd/api.sock"
USUAL = 0.2
"""Seconds in which a processor of today starts Python and imports what is measured below, and some."""


def stretch() -> float:
    """Return how many times slower than usual this host is, 1.0 at least: an emulated one is about ten."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-I", "-c", "import asyncio, email.message, json"], check=True)
    return max(1.0, (time.monotonic() - began) / USUAL)


STRETCH = min(stretch() for _ in range(3))
PATIENCE = 120.0 * min(STRETCH, 5.0)
"""Seconds that only a failure waits."""
PAUSE = 0.05 * STRETCH
"""Seconds between two looks: each is work for the daemon that is looked at, too."""
T = TypeVar("T")


def until(what: str, condition: Callable[[], T], patience: float = PATIENCE) -> T:
    """Return the first truthy value of ``condition``; ``AssertionError`` after ``patience`` seconds."""
    return wait_until(condition, timeout=patience, what=what, every=PAUSE)


def run(*command: str, patience: float = PATIENCE, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, whatever its status."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=patience, check=False, env={**os.environ, **environ}
    )


def must(*command: str, patience: float = PATIENCE, **environ: str) -> str:
    """Run a command that has to succeed; return what it printed."""
    done = run(*command, patience=patience, **environ)
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


class _Local(http.client.HTTPConnection):
    """HTTP over the daemon's Unix socket: where Python starts in seconds, asking again and again needs it."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(API)


def fetch(path: str) -> str:
    """Return what the API answers to a GET; ``OSError`` while no daemon listens."""
    connection = _Local("stratd")
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    except http.client.HTTPException as error:  # it ended while it was asked
        raise ConnectionError(str(error)) from None
    finally:
        connection.close()


def rows() -> dict[str, dict[str, Any]]:
    """Return the row of every deployment by its id, {} while no daemon answers."""
    try:
        found = json.loads(fetch("/api/v1/deployments"))
    except OSError:
        return {}
    return {one["id"]: one for one in found} if isinstance(found, list) else {}


def row(deployment: str) -> dict[str, Any]:
    """Return the row of one deployment, {} while no daemon answers."""
    return rows().get(deployment, {})


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
