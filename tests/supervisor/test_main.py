"""``serve`` as a process of its own: signals, systemd, a second one, and sudden death."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.supervisor.rig import Rig
from tests.tied import tied
from tests.waiting import wait_until

pytestmark = pytest.mark.system

SERVE = """
import sys
from pathlib import Path
from supervisor.config import load
from supervisor.errors import StratdError
from supervisor.main import serve
try:
    config = Path(sys.argv[1])
    sys.exit(serve(load({}, file=config), config=config))
except StratdError as error:
    sys.exit(f"stratd: {error}")
"""


class Served:
    """A daemon process, systemd's end of its notifications, and a client."""

    def __init__(self, rig: Rig) -> None:
        rig.load()
        self.socket = rig.base / "run" / "api.sock"
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(rig.base / f"notify-{os.urandom(4).hex()}"))
        self.notices.settimeout(60)
        self.command = [sys.executable, "-P", "-c", tied(SERVE), str(rig.base / "stratd.toml")]
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "NOTIFY_SOCKET": self.notices.getsockname(), "WATCHDOG_USEC": "3000000"},
            stderr=subprocess.PIPE,
            text=True,
            umask=0o022,  # as in a shell, whatever it is here
        )
        self.http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://stratd/api/v1", timeout=30
        )

    def notice(self) -> str:
        return self.notices.recv(4096).decode()

    def until_notice(self, word: str) -> None:
        wait_until(lambda: word in self.notice(), what=word)

    def start(self, name: str) -> None:
        answer = self.http.post("/deployments", json={"id": name, "strategy": "idle"})
        assert answer.status_code < 300, answer.text

    def row(self, name: str) -> dict:
        return next(row for row in self.http.get("/deployments").json() if row["id"] == name)

    def tree(self) -> list[int]:
        """Every process below the daemon."""
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            for task in Path(f"/proc/{pid}/task").iterdir():
                children = list(map(int, (task / "children").read_text().split()))
                found += children
                todo += children
        return found

    def close(self) -> None:
        self.http.close()
        self.notices.close()
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def serve(rig):
    running = []

    def start() -> Served:
        running.append(Served(rig))
        return running[-1]

    yield start
    for one in running:
        one.close()


def test_everything_it_makes_is_its_users_alone_also_when_run_by_hand(serve, rig):
    rig.strategy("idle", initialize="print('a line for the log', flush=True)")
    daemon = serve()
    daemon.until_notice("READY=1")
    daemon.start("a")
    expected = {"market", "reports", "signals.out", "signals.replay", "api.sock", "daemon.lock",
                "identity", "journal.db", "stratd.db", "a.log"}  # fmt: skip

    def everything() -> list[Path] | None:
        made = [path for name in ("run", "state") for path in (rig.base / name).rglob("*")]
        return made if expected <= {path.name for path in made} else None

    made = wait_until(everything, what="every kind of file")
    # But for the folder that is bound into cells, whose wardens may be of other uids: only we get to it.
    cells = rig.base / "run" / "cells"
    code = rig.base / "state" / "code"  # and what cells are shown of it
    open_to_others = {path for path in made if path.lstat().st_mode & 0o077 and code not in path.parents}
    assert open_to_others == {cells, cells / "market", cells / "reports"}
    assert (cells.parent.stat().st_mode | code.stat().st_mode) & 0o077 == 0


def test_a_journal_that_cannot_be_used_is_the_reason_of_the_daemon_too(serve, rig):
    (rig.base / "state" / "journal.db").mkdir(parents=True)
    daemon = serve()
    _, told = daemon.process.communicate(timeout=60)
    assert daemon.process.returncode != 0
    assert told.splitlines()[-1].startswith("stratd: the engine did not start (the engine ended (")
    assert "journal.db" in told.splitlines()[-1]
