"""What the daemon costs when nothing happens: the supervisor's share of a core with 100 idle cells.

    python benchmarks/idle.py [--quick]

The whole of ``stratd serve`` in folders of its own, a feed that sends a heartbeat a second and nothing else,
100 deployments of a strategy that does nothing. The share is CPU time over wall time, over several windows
after everything is running; the yardstick is a core. Engine and cells are told for information.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import psutil

from bus.messages import Heartbeat
from bus.sockets import Publisher
from cells import IDLE, PATIENCE
from cli.client import Client
from cli.errors import CommandError
from ratios import amount, arguments, report, say
from supervisor.client.calls import daemon as calls
from supervisor.client.calls import running

CELLS = 100
CONFIG = """\
[feeds.idle]
endpoint = "ipc://{folder}/feed"

[strategies]
path = ["{folder}/strategies"]

[api]
port = {port}

[limits]
max_concurrent = 200
max_per_account = 200
"""
MIB = 2**20


@contextmanager
def daemon(folder: Path, port: int = 0) -> Iterator[tuple[psutil.Process, Client]]:
    """Run ``stratd serve`` in ``folder`` and wait until it answers; on no port of TCP if that is 0."""
    (folder / "strategies" / "idle").mkdir(parents=True)
    (folder / "strategies" / "idle" / "strategy.py").write_text(IDLE)
    config = {"name": "idle", "version": "1.0.0", "timeframes": ["1m"], "symbols": ["X"]}
    (folder / "strategies" / "idle" / "config.json").write_text(json.dumps(config))
    (folder / "stratd.toml").write_text(CONFIG.format(folder=folder, port=port))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STRATD_")}
    environment |= {"STRATD_STATE_DIR": f"{folder}/state", "STRATD_RUNTIME_DIR": f"{folder}/run"}
    command = [sys.executable, "-P", "-m", "cli.main", "serve", "--config", f"{folder}/stratd.toml"]
    with (folder / "log").open("w+b") as log:
        started = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield psutil.Process(started.pid), _answering(started, folder)
        finally:
            started.terminate()
            started.wait()


def _answering(started: subprocess.Popen[bytes], folder: Path) -> Client:
    client, deadline = Client(folder / "run" / "api.sock"), time.monotonic() + PATIENCE
    while started.poll() is None and time.monotonic() < deadline:
        with suppress(CommandError):
            client.call(calls.status)
            return client
        time.sleep(0.05)
    sys.exit(f"the daemon did not come up:\n{(folder / 'log').read_text()[-2000:]}")


@contextmanager
def heartbeats(endpoint: str) -> Iterator[None]:
    """Publish one a second."""
    done = threading.Event()

    def beat() -> None:
        with Publisher(endpoint) as publisher:
            while not done.wait(1.0):
                publisher.send(b"hb", msgspec.msgpack.encode(Heartbeat(time.time_ns())))

    thread = threading.Thread(target=beat, name="heartbeats")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def start(client: Client, count: int) -> None:
    """Start ``count`` deployments, a few at a time; each answer comes when one runs."""

    def one(number: int) -> str:
        say(f"starting cell {number + 1} of {count}")
        answer = client.call(running.start, f"idle-{number}", strategy="idle", account="bench")
        return str(json.loads(answer)["deployment"]["state"])

    with ThreadPoolExecutor(4) as pool:
        states = list(pool.map(one, range(count)))
    if states != ["running"] * count:
        sys.exit(f"not every cell runs: {sorted(set(states))}")


class Census:
    """The processes below a daemon, by what they are; their names are the ones that ``ps`` shows."""

    def __init__(self, supervisor: psutil.Process) -> None:
        below = supervisor.children(recursive=True)
        names = {process: process.name() for process in below}
        self.groups = {
            "supervisor": [supervisor],
            "engine": [p for p in below if "supervisor.engine" in p.cmdline()],
            "zygote": [p for p, name in names.items() if name == "stratd-zygote"],
            "wardens": [p for p, name in names.items() if name == "stratd-warden"],
            "strategies": [p for p, name in names.items() if name == "stratd-strategy"],
        }

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds that each group has used so far."""
        return {name: sum(sum(p.cpu_times()[:2]) for p in group) for name, group in self.groups.items()}

    def shares(self, seconds: float) -> dict[str, float]:
        """Return each group's percentage of one core over the next ``seconds``."""
        before, began = self.cpu(), time.monotonic()
        time.sleep(seconds)
        after, took = self.cpu(), time.monotonic() - began
        return {name: 100 * (after[name] - before[name]) / took for name in after}


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__ or "", rounds=4, quick=2)
    window = 5.0 if options.quick else 20.0
    # A short path: that of a Unix socket holds 107 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="stratd-") as name:
        folder = Path(name)
        with daemon(folder) as (process, client), heartbeats(f"ipc://{folder}/feed"):
            start(client, CELLS)
            census = Census(process)
            if (counted := len(census.groups["wardens"])) != CELLS:
                sys.exit(f"{counted} wardens instead of {CELLS}")
            time.sleep(5)
            values: dict[str, list[float]] = {group: [] for group in census.groups}
            for number in range(options.rounds):
                say(f"window {number + 1} of {options.rounds}, {window:g} s each")
                for group, share in census.shares(window).items():
                    values[group].append(share)
            say("")
            resident = process.memory_info().rss / MIB
            settled = len(Census(process).groups["wardens"])
    if settled != CELLS:
        sys.exit(f"{CELLS - settled} cells ended while they were idle")
    cells = [sum(pair) for pair in zip(values["wardens"], values["strategies"], strict=True)]
    report(
        options,
        [
            amount(
                f"supervisor with {CELLS} idle cells, share of a core", values["supervisor"], "%", "< 1.5"
            ),
            amount("  engine", values["engine"], "%"),
            amount("  zygote", values["zygote"], "%"),
            amount(f"  all {CELLS} cells", cells, "%"),
            amount("  RSS of the supervisor", [resident], "MiB"),
        ],
        values,
        "integer",
    )


if __name__ == "__main__":
    main()
