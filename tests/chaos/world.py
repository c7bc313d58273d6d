"""What a run consists of: folders, a daemon, Redis, publishers. Each is started, and ended by its own pid.

Nothing here decides anything: ``faults`` does things to it, ``run`` looks after it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from cli.client import Client
from cli.errors import CommandError
from supervisor.client.call import Call
from supervisor.client.calls import daemon, records, running
from supervisor.store.journal_reader import JournalReader
from tests.chaos import deployed, market
from tests.chaos.processes import Process, below, process
from tests.chaos.publisher import Progress
from tests.scenarios.rig import MAIN, toml
from tests.supervisor.redis_server import RedisServer
from tests.tied import tied
from tests.waiting import wait_until

PATIENCE = 60.0
"""Seconds that only a failure waits."""
DISK = 96 * 2**20
"""Bytes of the disk that can be filled."""
FEEDS = {"fx": "bind", "eq": "connect"}
"""Mode of each feed in the daemon: both ways, and a second publisher can only join one that is bound."""
GRACE = 30.0
"""Longer than any publisher is stopped. One that is silent is for the engine what a quiet market is: its
candles close by the timer, and a tick that comes afterwards is late (candles.md 4 and 5). So two runs in
which it was silent at other moments cannot have the same candles, whoever died. Here ticks close them."""
SETTINGS: dict[str, Any] = {
    "api": {"port": 0},
    "limits": {
        "max_concurrent": 1000, "max_per_account": 1000, "memory_reserve": 0, "disk_reserve": 0,
        "memory_overcommit": 1000,
    },
    # Nobody is given up: whoever is wanted is to be back, however often it died.
    "restart": {
        "delay": 0.05, "max_delay": 0.5, "max_restarts": 1000, "window": 1, "ready_timeout": 30,
        "stop_timeout": 2, "kill_timeout": 1, "checkpoint_every": 5,
    },
    "quota": {"memory": "96M", "cpu": 1.0, "backlog": 100_000},
    "redis": {},
}  # fmt: skip


class World:
    """Folders under ``/tmp``, and what runs in them. ``close`` ends and ``remove`` forgets it all."""

    def __init__(self, markets: dict[str, market.Played], rate: float, *, disk: bool) -> None:
        # A short path: that of a Unix socket holds 107 bytes (unix(7)).
        self.base = Path(tempfile.mkdtemp(prefix="stratd-"))
        self.markets = markets
        self.rate = rate
        self.disk = disk
        """Whether the state directory is a small disk of its own."""
        self.daemon: subprocess.Popen[bytes] | None = None
        self.daemons = 0
        self.daemon_since = 0.0
        """Monotonic second of the last daemon's start."""
        self.publishers: dict[str, subprocess.Popen[bytes]] = {}
        self.guests: list[subprocess.Popen[bytes]] = []
        """Second publishers of a feed, for a while."""
        self.redis = RedisServer(self.base)
        self.client = Client(self.base / "run" / "api.sock")
        for name in ("state", "run", "feeds"):
            (self.base / name).mkdir(mode=0o700)
        deployed.write(self.base / "strategies")
        for name, one in markets.items():
            market.write(one, self._file(name))
        if disk:
            _run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "stratd-chaos", str(self.state))
        self._configure()

    @property
    def state(self) -> Path:
        return self.base / "state"

    @property
    def log(self) -> Path:
        """What every daemon wrote to stderr, one after the other."""
        return self.base / "daemon.log"

    def _file(self, feed: str) -> Path:
        return self.base / f"{feed}.ticks"

    def endpoint(self, feed: str) -> str:
        return f"ipc://{self.base}/feeds/{feed}"

    def _configure(self) -> None:
        settings = {
            "state_dir": str(self.state),
            "runtime_dir": str(self.base / "run"),
            **SETTINGS,
            "strategies": {"path": [str(self.base / "strategies")]},
            "redis": {"url": self.redis.url},
            "feeds": {
                name: {"endpoint": self.endpoint(name), "mode": mode, "grace": GRACE}
                for name, mode in FEEDS.items()
            },
        }
        (self.base / "stratd.toml").write_text(toml(settings))

    # ---- the daemon -----------------------------------------------------------------------------
    def start_daemon(self) -> None:
        """Start it, as systemd would."""
        keep = {name: at for name, at in os.environ.items() if not name.startswith("STRATD_")}
        self.daemons += 1
        self.daemon_since = time.monotonic()
        with self.log.open("ab") as log:
            self.daemon = subprocess.Popen(
                [sys.executable, "-P", "-c", tied(MAIN), "serve", "--config", self.base / "stratd.toml"],
                env=keep, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def supervisor(self) -> Process | None:
        """The daemon's own process, None while it does not run."""
        if self.daemon is None or self.daemon.poll() is not None:
            return None
        return process(self.daemon.pid)

    def tree(self) -> list[Process]:
        """Return every process below the daemon."""
        return below(self.daemon.pid) if self.daemon is not None and self.daemon.poll() is None else []

    def named(self, name: str) -> list[Process]:
        """Return the processes below the daemon of that name: engine, zygote, warden, strategy."""
        return [one for one in self.tree() if one.name == name]

    def answers(self) -> bool:
        with suppress(CommandError, OSError):
            self.client.call(daemon.status)
            return True
        return False

    def until_it_answers(self) -> None:
        def answering() -> bool:
            assert self.daemon is not None
            assert self.daemon.poll() is None, (
                f"the daemon ended with {self.daemon.returncode}: see {self.log}"
            )
            return self.answers()

        wait_until(answering, timeout=PATIENCE, what="the daemon answering")

    def ask(self, call: Call[Any]) -> Any:
        """Return the document that answers ``call``, None while nobody answers."""
        with suppress(CommandError, OSError, ValueError):
            return json.loads(self.client.ask(call))
        return None

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return ``stratd ps`` by id, nothing while nobody answers."""
        return {row["id"]: row for row in self.ask(running.deployments()) or ()}

    def events(self) -> list[dict[str, Any]]:
        """Return every event that the daemons have noted."""
        return [json.loads(line) for line in self.client.lines(records.events, after=0, n=100_000)]

    def signals(self, after: int = 0) -> list[dict[str, Any]]:
        """Return the verdicts above a number in the journal's order: rows of ``stratd signals --json``."""
        found: list[dict[str, Any]] = []
        with JournalReader.open(self.state / "journal.db") as journal:
            while page := journal.signals(after_seq=found[-1]["seq"] if found else after, limit=10_000):
                found += page
        return found

    # ---- publishers -----------------------------------------------------------------------------
    def sent(self, feed: str) -> int:
        """How many ticks its publishers have sent so far."""
        with Progress(self.base / f"{feed}.sent") as progress:
            return progress.sent

    @property
    def over(self) -> bool:
        """Whether every tick was sent."""
        return all(self.sent(name) >= len(one.messages) for name, one in self.markets.items())

    def start_publisher(self, feed: str) -> None:
        """Start the publisher of a feed, or the next one: it goes on where the last one ended."""
        self.publishers[feed] = self._publisher(feed, self.base / f"{feed}.sent")

    def start_guest(self, feed: str) -> None:
        """Start a second publisher of a feed, with the ticks that are due now."""
        number = len(self.guests)
        first = ("--first", str(max(1, self.sent(feed))))
        self.guests.append(self._publisher(feed, self.base / f"guest-{number}.sent", *first, "--leave"))

    def _publisher(self, feed: str, progress: Path, *more: str) -> subprocess.Popen[bytes]:
        mode = {"bind": "connect", "connect": "bind"}[FEEDS[feed]]
        command = [
            *(sys.executable, "-m", "tests.chaos.publisher", str(self._file(feed)), self.endpoint(feed)),
            *("--mode", mode, "--rate", str(self.rate), "--progress", str(progress)),
            *("--parent", str(os.getpid()), *more),
        ]
        with (self.base / "publishers.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    # ---- the end --------------------------------------------------------------------------------
    def stop_daemon(self) -> int | None:
        """SIGTERM; return its exit code, None if it had to be killed."""
        if self.daemon is None:
            return None
        self.daemon.terminate()
        try:
            return self.daemon.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
            return None

    def close(self) -> None:
        """End whatever still runs, each by its pid."""
        left = self.tree()
        for one in (self.daemon, *self.publishers.values(), *self.guests):
            if one is not None and one.poll() is None:
                one.kill()
                one.wait()
        self.redis.stop()
        for orphan in left:
            orphan.kill()
        if self.disk:
            _run("umount", "-l", str(self.state))
            self.disk = False

    def keep(self) -> None:
        """Copy what is on the small disk to where it stays when that is gone."""
        if self.disk:
            ignored = shutil.ignore_patterns("filler")
            shutil.copytree(self.state, self.base / "kept-state", dirs_exist_ok=True, ignore=ignored)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
