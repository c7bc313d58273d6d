"""stratd beside supervisord and circus: what a death costs, who is left over, what idling costs.

    python benchmarks/supervision.py [--quick]

Twenty children each, in one run, in turns. Of ours a child is a deployment: a warden and a confined strategy
that the engine has welcomed; of theirs a Python process that says it is up. Measured: a child killed with
SIGKILL until the next one is ready, the configured delay (ours, 0.1 s; theirs have none) taken off; children
that live a second after their daemon was killed (19 of them, since one was stopped); the command line that
stops one; the share of a core and the memory (PSS) of the daemon's own processes while nothing happens.
Theirs are left out, with the reason, where the package index cannot be reached.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from cells import IDLE
from cli.client import Client
from cli.errors import CommandError
from peers import PATIENCE, Circus, NotInstalled, Peer, Supervisord, end, installed
from ratios import Figure, amount, arguments, report, say
from supervisor.client.calls import daemon as calls
from supervisor.client.calls import records, running

CHILDREN = 20
DELAY = 0.1
MIB = 2**20
CONFIG = """\
state_dir = "{folder}/state"
runtime_dir = "{folder}/run"

[strategies]
path = ["{folder}/strategies"]

[api]
port = 0

[limits]
max_concurrent = 100
max_per_account = 100

[restart]
delay = {delay}
jitter = 0.0
"""


class Stratd:
    """``stratd serve`` with idle deployments."""

    name = "stratd"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        strategy = folder / "strategies" / "idle"
        strategy.mkdir(parents=True)
        (strategy / "strategy.py").write_text(IDLE)
        config = {"name": "idle", "version": "1.0.0", "timeframes": ["1m"], "symbols": ["X"]}
        (strategy / "config.json").write_text(json.dumps(config))
        (folder / "stratd.toml").write_text(CONFIG.format(folder=folder, delay=DELAY))
        self._client = Client(folder / "run" / "api.sock")
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self, count: int) -> None:
        """Start it and wait until every child is up."""
        command = [sys.executable, "-P", "-m", "cli.main", "serve", "--config", f"{self.folder}/stratd.toml"]
        with (self.folder / "log").open("wb") as log:
            self._daemon = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the daemon did not come up:\n{(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)
        for number in range(count):
            answer = self._client.call(running.start, f"child-{number}", strategy="idle", account="bench")
            state = json.loads(answer)["deployment"]["state"]
            if state != "running":
                sys.exit(f"child-{number} is {state}")

    def _answers(self) -> bool:
        with suppress(CommandError):
            self._client.call(calls.status)
            return True
        return False

    def kill_child(self, number: int) -> float:
        """Kill a strategy with SIGKILL; return the seconds until the next runs, less the configured delay."""
        name = f"child-{number}"
        pid = json.loads(self._client.call(running.deployment, name))["pid"]
        events = self._events()
        began = time.perf_counter()
        psutil.Process(pid).kill()
        for event in events:
            if (event["kind"], event["deployment_id"]) == ("running", name):
                return time.perf_counter() - began - DELAY
        return sys.exit("the daemon went away")

    def _events(self) -> Iterator[dict[str, object]]:
        """Follow the events from now on; the subscription stands when this returns."""
        after = json.loads(self._client.call(calls.status))["event_seq"]
        return map(json.loads, self._client.lines(records.events, after=after, follow=True))

    def stop_child(self, number: int) -> float:
        """Return the seconds that the command line takes to stop one."""
        script = Path(sys.executable).with_name("stratd")
        command = [str(script)] if script.exists() else [sys.executable, "-P", "-m", "cli.main"]
        environment = {"STRATD_RUNTIME_DIR": f"{self.folder}/run", "PATH": "/usr/bin:/bin"}
        began = time.perf_counter()
        subprocess.run(
            [*command, "stop", f"child-{number}"], check=True, capture_output=True, env=environment
        )
        return time.perf_counter() - began

    def kill(self) -> list[psutil.Process]:
        """Kill it, with SIGKILL and nothing else; return its children of that moment."""
        children = [one for one in self._below() if one.name() in {"stratd-warden", "stratd-strategy"}]
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon.wait()
        return children

    def _below(self) -> list[psutil.Process]:
        return psutil.Process(self._daemon.pid).children(recursive=True) if self._daemon else []

    def processes(self) -> list[psutil.Process]:
        """Return its own processes: supervisor, engine, zygote."""
        below = self._below()
        zygote = [one for one in below if one.name() == "stratd-zygote"]
        engine = [one for one in below if "supervisor.engine" in one.cmdline()]
        return [*([psutil.Process(self._daemon.pid)] if self._daemon else ()), *engine, *zygote]

    def close(self) -> None:
        """End it and whatever is left of its children."""
        if self._daemon is not None and self._daemon.poll() is None:
            end(self.kill())


def idle(peer: Peer, seconds: float) -> tuple[float, float]:
    """Return what the daemon's own processes take while nothing happens: percent of a core, MiB."""
    own = peer.processes()
    before = sum(sum(one.cpu_times()[:2]) for one in own)
    time.sleep(seconds)
    used = sum(sum(one.cpu_times()[:2]) for one in own) - before
    return 100 * used / seconds, sum(one.memory_full_info().pss for one in own) / MIB


def measure(peer: Peer, rounds: int, window: float) -> dict[str, list[float]]:
    """Return everything that is measured of one of them, by name; times in ms."""
    say(f"{peer.name}: {CHILDREN} children")
    peer.start(CHILDREN)
    time.sleep(2)
    say(f"{peer.name}: idle for {window:g} s")
    shares, memory = zip(*(idle(peer, window) for _ in range(2)), strict=True)
    say(f"{peer.name}: {rounds} children die")
    back = [1000 * peer.kill_child(number) for number in range(rounds)]
    stopped = [1000 * peer.stop_child(CHILDREN - 1)]
    children = peer.kill()
    time.sleep(1)
    left = [one for one in children if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    end(left)
    return {
        "killed to ready": back,
        "stop": stopped,
        "left over": [float(len(left))],
        "idle": list(shares),
        "memory": list(memory),
    }


ROWS = {
    "killed to ready": ("kill -9 of a child to ready, without the delay", "ms", "< 50"),
    "stop": ("command line that stops one", "ms", "< 150"),
    "left over": ("alive 1 s after the daemon was killed", "", "<= 0"),
    "idle": (f"idle with {CHILDREN} children, share of a core", "%", "< 0.5"),
    "memory": ("its own processes, PSS", "MiB", "< 60"),
}


def figures(name: str, values: dict[str, list[float]]) -> list[Figure]:
    """Return the rows of one of them; only of ours is anything wanted."""
    return [
        amount(f"{name}: {label}", values[key], unit, wanted if name == Stratd.name else "")
        for key, (label, unit, wanted) in ROWS.items()
    ]


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__ or "", rounds=3, quick=1)
    deaths, window = (5, 5.0) if options.quick else (10, 20.0)
    values: dict[str, dict[str, list[float]]] = {}
    try:
        kinds: list[type[Supervisord | Circus]] = [Supervisord, Circus]
        programs: Path | None = installed()
    except NotInstalled as why:
        print(f"supervisord and circus are left out: {why}", file=sys.stderr)
        kinds, programs = [], None
    for _ in range(options.rounds):
        with ExitStack() as stack:
            # Short paths: that of a Unix socket holds 107 bytes (unix(7)).
            folders = iter(
                [Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stratd-"))) for _ in range(3)]
            )
            peers: list[Peer] = [Stratd(next(folders))]
            if programs is not None:
                peers += [kind(next(folders), programs) for kind in kinds]
            for peer in peers:
                stack.callback(peer.close)
                for key, measured in measure(peer, deaths, window).items():
                    values.setdefault(peer.name, {}).setdefault(key, []).extend(measured)
    say("")
    report(
        options,
        [one for name, measured in values.items() for one in figures(name, measured)],
        {f"{name}: {key}": one for name, measured in values.items() for key, one in measured.items()},
        "integer",
    )


if __name__ == "__main__":
    main()
