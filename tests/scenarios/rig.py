"""What every scenario runs in: a daemon as a process of its own, its folders, its market, and its processes.

Nothing here imports the daemon. It is started by its own command line, spoken to over its own socket, and
its processes are looked at in /proc: what a test says of them is what the kernel says. What has to become
true is waited for with a deadline that only a failure reaches.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx2 as httpx
import msgspec

from bus.serving import Serving
from bus.sockets import Publisher
from tests.tied import tied
from tests.waiting import wait_until

MAIN = "from cli.main import main\nmain()\n"
STRATD = (sys.executable, "-P", "-m", "cli.main")
EACH = """
import contextlib, io, json, sys
from cli.main import run
done = []
for line in sys.argv[1:]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(line.split())
    done.append((code, out.getvalue(), err.getvalue()))
print(json.dumps(done))
"""
"""Several commands in one process: code, stdout and stderr of each, as JSON."""
PATIENCE = 100.0
"""Seconds that only a failure waits: far more than any of it takes on a busy host."""
SETTINGS: dict[str, Any] = {
    "api": {"port": 0},  # several run side by side
    "limits": {"max_concurrent": 40, "max_per_account": 40},
    "restart": {
        "delay": 0.02, "jitter": 0.0, "max_restarts": 3, "window": 60,
        "ready_timeout": 30, "stop_timeout": 20, "kill_timeout": 0.5,
    },
    "budgets": {"cleanup": {"soft": 0.1, "hard": 20}},
}  # fmt: skip
"""Short delays, so that a scenario is short; a test changes what it is about. A goodbye is given long: it is
short of itself, and on a busy host one that is cut off would be another story."""
IMPATIENT = {"stop_timeout": 0.5}
"""``restart`` of a site whose strategies do not end of themselves."""
UNCONFINED = """
import supervisor.daemon
from sandbox.confine.survey import Survey
supervisor.daemon.Daemon.__init__.__kwdefaults__["survey"] = lambda setting: Survey("bare", [], "")
"""
"""Run before ``stratd``: this host gives no layer at all. Only an operator's own code runs there
(``--trust``), and it can fork."""
CLOCK_STEPS = """
import signal, time
wall, wall_ns, step = time.time, time.time_ns, [0]
time.time = lambda: wall() + step[0]
time.time_ns = lambda: wall_ns() + step[0] * 10**9
def on(seconds):
    return lambda *_: step.__setitem__(0, step[0] + seconds)
signal.signal(signal.SIGUSR1, on(3600))
signal.signal(signal.SIGUSR2, on(-3600))
"""
"""Run before ``stratd``: SIGUSR1 sets its wall clock an hour ahead, SIGUSR2 an hour back."""
STRATEGY = """
import os, signal, sys, threading, time
from strategies import IStrategy, Signal


def buy(data, **more):
    # An hour to live: on a busy host the few seconds of an entry may be over before it is judged.
    more = {"reason": "scenario", "ttl_ms": 3_600_000, **more}
    return Signal(symbol=data.symbol, intent="enter_long", quantity=1, **more)


{head}


class Strategy(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None

{body}
"""
"""What a strategy of a scenario begins with; ``body`` may define any of its methods anew."""


class Process(NamedTuple):
    """One process, and no other that gets its pid later: field 22 of /proc/PID/stat goes with it."""

    pid: int
    ticks: int

    @property
    def alive(self) -> bool:
        """Whether it runs: a zombie does not."""
        found = stat_of(self.pid)
        return found is not None and int(found[19]) == self.ticks and found[0] not in "ZX"

    @property
    def state(self) -> str:
        """Its letter in /proc/PID/stat (proc(5)), "" if it is gone."""
        found = stat_of(self.pid)
        return found[0] if found is not None and int(found[19]) == self.ticks else ""

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Signal it, unless it is gone."""
        if self.alive:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


def stat_of(pid: int) -> list[str] | None:
    """Return /proc/PID/stat from field 3 on; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()


def process(pid: int) -> Process:
    """Return the process that has ``pid`` now."""
    found = stat_of(pid)
    assert found is not None, f"there is no process {pid}"
    return Process(pid, int(found[19]))


def children(pid: int) -> list[int]:
    """Return the pids of a process's children, in order of birth."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return sorted(found)


def tree(pid: int) -> list[Process]:
    """Return every process below one, and not itself."""
    found, todo = [], [pid]
    while todo:
        below = children(todo.pop())
        todo += below
        for one in below:
            with suppress(AssertionError):  # gone in between
                found.append(process(one))
    return found


def none_alive(processes: Iterable[Process]) -> Callable[[], bool]:
    """Return a condition: every one of them is gone."""
    every = tuple(processes)
    return lambda: not any(one.alive for one in every)


class Ended(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as exactly one document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Stdout as JSON Lines."""
        return [json.loads(line) for line in self.out.splitlines()]


class LogLine(NamedTuple):
    """A line of the log of a deployment, as it stands in its file."""

    at: str
    generation: int
    stream: str
    text: str


class Site:
    """Folders, settings and strategies, and daemons over them. ``remove`` ends those that still run.

    ``settings`` are sections of stratd.toml over ``SETTINGS``; ``before`` is run in the daemon's process
    first, to make its host another one.
    """

    def __init__(self, *, before: str = "", **settings: Mapping[str, Any]) -> None:
        # Not pytest's tmp_path: the path of a Unix socket holds 107 bytes (unix(7)).
        self.base = Path(tempfile.mkdtemp(prefix="stratd-"))
        self.settings = merged(SETTINGS, settings)
        self.environ: dict[str, str] = {}
        """What a daemon finds in its environment, besides what this process has."""
        self.program = f"{before}\n{MAIN}"
        """What the process of a daemon runs."""
        self._daemons: list[Daemon] = []
        for name in ("strategies", "notices"):
            (self.base / name).mkdir()
        self.strategy("idle")

    @property
    def state(self) -> Path:
        """The state directory."""
        return self.base / "state"

    @property
    def runtime(self) -> Path:
        """The runtime directory."""
        return self.base / "run"

    @property
    def config(self) -> Path:
        """The configuration file, written anew at every start."""
        return self.base / "stratd.toml"

    def write_config(self) -> None:
        """Write the settings as they are now."""
        base = {"state_dir": str(self.state), "runtime_dir": str(self.runtime)}
        strategies = {"strategies": {"path": [str(self.base / "strategies")]}}
        self.config.write_text(toml(merged({**base, **strategies}, self.settings)))

    def strategy(self, name: str, body: str = "", *, head: str = "", **manifest: Any) -> Path:
        """Write a strategy of EURUSD on 1m; ``body`` is what its class adds, ``manifest`` its config.json."""
        folder = self.base / "strategies" / name
        folder.mkdir(exist_ok=True)
        config: dict[str, Any] = {
            "name": name,
            "version": "1.0.0",
            "timeframes": ["1m"],
            "symbols": ["EURUSD"],
            **manifest,
        }
        (folder / "config.json").write_text(json.dumps(config))
        text = STRATEGY.replace("{head}", textwrap.dedent(head))
        text = text.replace("{body}", textwrap.indent(textwrap.dedent(body), " " * 4))
        (folder / "strategy.py").write_text(text)
        for daemon in self._daemons:
            daemon.rescan()
        return folder

    def daemon(self, *, ready: bool = True, **environ: str) -> Daemon:
        """Start a daemon; return once it says READY=1, or at once."""
        self.write_config()
        daemon = Daemon(self, {**self.environ, **environ})
        self._daemons.append(daemon)
        if ready:
            daemon.until_ready()
        return daemon

    def stratd(self, *arguments: str, timeout: float = PATIENCE) -> Ended:
        """Run one command line of ``stratd`` as a process of its own."""
        done = subprocess.run(
            [*STRATD, *arguments], env=self.environment(), capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    def stratd_each(self, *lines: str) -> list[Ended]:
        """Run command lines one after the other in one process: what a process takes is most of a command."""
        done = subprocess.run(
            [sys.executable, "-P", "-c", EACH, *lines], env=self.environment(), capture_output=True,
            text=True, timeout=PATIENCE * 3, check=False,
        )  # fmt: skip
        assert (0, "") == (done.returncode, done.stderr)
        return [Ended(*one) for one in json.loads(done.stdout)]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a command: nothing of this process's own settings of stratd."""
        clean = {name: at for name, at in os.environ.items() if not name.startswith("STRATD_")}
        return {**clean, "STRATD_RUNTIME_DIR": str(self.runtime), **(extra or {})}

    def log(self, name: str) -> list[LogLine]:
        """Return the log of a deployment, as it stands in its file."""
        path = self.state / "logs" / f"{name}.log"
        lines = path.read_text().splitlines() if path.exists() else []
        return [LogLine(at, int(number), stream, text) for at, number, stream, text in _split(lines)]

    def said(self, name: str, word: str) -> list[str]:
        """Return what a deployment printed after ``word``: marks that its strategy made."""
        texts = (line.text for line in self.log(name) if line.stream == "out")
        return [text.removeprefix(word).strip() for text in texts if text.startswith(word)]

    @contextmanager
    def feed(self, name: str = "main") -> Iterator[Feed]:
        """Be the publisher of the feed ``name`` (see ``with_feed``), which serves what was missed."""
        endpoint = self.endpoint(name)
        with Publisher(endpoint) as publisher, Serving(f"{endpoint}.recovery") as serving:
            yield Feed(publisher, serving)

    def endpoint(self, name: str = "main") -> str:
        """Return where the publisher of a feed is."""
        return f"ipc://{self.base}/feed-{name}"

    def with_feed(self, name: str = "main", **settings: Any) -> Site:
        """Give the next daemon a native feed."""
        feed = {"feeds": {name: {"endpoint": self.endpoint(name), **settings}}}
        self.settings = merged(self.settings, feed)
        return self

    def end(self) -> None:
        """End every daemon that was started here."""
        for daemon in self._daemons:
            daemon.close()

    def remove(self) -> None:
        """End every daemon that was started here, and forget everything."""
        self.end()
        shutil.rmtree(self.base, ignore_errors=True)


class Feed:
    """A publisher of one feed, in the native format. With ``serving`` it tells what it has published."""

    def __init__(self, publisher: Publisher, serving: Serving | None = None) -> None:
        self.publisher = publisher
        self.serving = serving
        self.seq: dict[str, int] = {}

    def wait_for_engine(self) -> Feed:
        """Return once the engine has subscribed."""
        # It may be told first that an engine which died has left.
        wait_until(
            lambda: self.publisher.wait_for_subscriber(0.05), timeout=PATIENCE, what="the engine subscribed"
        )
        return self

    def tick(self, symbol: str = "EURUSD", price: float = 1.1, ts: int | None = None) -> int:
        """Publish one tick; return its number."""
        seq = self.seq[symbol] = self.seq.get(symbol, 0) + 1
        body = [symbol, time.time_ns() if ts is None else ts, price, 1.0, None, None, None, None, seq]
        topic, payload = f"tick.{symbol}".encode(), msgspec.msgpack.encode(body)
        if self.serving is not None:
            self.serving.keep(topic, payload, symbol, seq)
        self.publisher.send(topic, payload)
        return seq

    def beat(self) -> None:
        """Publish a heartbeat, and answer who asks for what it missed."""
        where = self.serving.endpoint if self.serving is not None else ""
        self.publisher.send(b"hb", msgspec.msgpack.encode([time.time_ns(), self.seq, where]))
        if self.serving is not None:
            self.serving.serve(0.0)


class Daemon:
    """One ``stratd serve``: its process, systemd's end of its notifications, a client, and its processes."""

    def __init__(self, site: Site, environ: Mapping[str, str]) -> None:
        self.site = site
        path = site.base / "notices" / os.urandom(4).hex()
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.bind(str(path))
        self.notices.setblocking(False)
        self.heard: list[str] = []
        """What it told systemd, line by line."""
        self.errors = site.base / f"stderr-{path.name}"
        with self.errors.open("w") as stderr:
            self.popen = subprocess.Popen(
                [sys.executable, "-P", "-c", tied(site.program), "serve", "--config", str(site.config)],
                env=site.environment({"NOTIFY_SOCKET": str(path), **environ}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                umask=0o022,  # as in a shell, whatever it is here
                start_new_session=True,
            )
        self.process = process(self.popen.pid)
        transport = httpx.HTTPTransport(uds=str(site.runtime / "api.sock"))
        self.http = httpx.Client(transport=transport, base_url="http://stratd/api/v1", timeout=PATIENCE)

    # ---- its life -------------------------------------------------------------------------------
    def told(self, word: str) -> bool:
        """Whether it has told systemd ``word``."""
        with suppress(BlockingIOError):
            while True:
                self.heard += self.notices.recv(4096).decode().splitlines()
        return word in self.heard

    def until_ready(self) -> None:
        """Wait for READY=1."""

        def ready() -> bool:
            assert self.popen.poll() is None, (
                f"the daemon ended with {self.popen.returncode}: {self.stderr()}"
            )
            return self.told("READY=1")

        wait_until(ready, timeout=PATIENCE, what="the daemon ready")

    def stderr(self) -> str:
        """Return all that it wrote there so far."""
        return self.errors.read_text()

    def signal(self, number: int) -> None:
        """Send a signal to the daemon's own process."""
        self.popen.send_signal(number)

    def terminate(self) -> int:
        """SIGTERM; return its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> list[Process]:
        """SIGKILL; return all that was below it then. It is reaped."""
        below = tree(self.popen.pid)
        self.popen.kill()
        self.popen.wait()
        return below

    def wait(self) -> int:
        """Return its exit code, once it has ended."""
        return self.popen.wait(PATIENCE)

    def close(self) -> None:
        """End it, whatever it does, and wait until all that was below it is gone."""
        self.http.close()
        self.notices.close()
        if self.popen.poll() is None:
            wait_until(none_alive(self.kill()), timeout=PATIENCE, what="every process of the daemon gone")

    # ---- its processes --------------------------------------------------------------------------
    def tree(self) -> list[Process]:
        """Return every process below it."""
        return tree(self.popen.pid)

    def part(self, name: str) -> Process:
        """Return its engine or its zygote."""

        def found() -> Process | None:
            parts = {part["name"]: part["pid"] for part in self.status()["processes"]}
            pid = parts.get(name)
            if not pid or stat_of(pid) is None:
                return None  # none yet, or one that the daemon does not know to be dead
            one = process(pid)
            return one if one.alive else None

        return wait_until(found, timeout=PATIENCE, what=f"a process of {name}")

    def strategy(self, name: str) -> Process:
        """Return the strategy process of a deployment that lives."""
        return process(self.row(name)["pid"])

    def warden(self, name: str) -> Process:
        """Return the warden of a deployment that lives: the parent of its strategy."""
        found = stat_of(self.row(name)["pid"])
        assert found is not None
        return process(int(found[1]))

    # ---- what it says ---------------------------------------------------------------------------
    def get(self, route: str, **query: Any) -> Any:
        """Return a JSON document of its API."""
        answer = self.http.get(f"/{route}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self) -> dict[str, Any]:
        """Return ``stratd status``."""
        found: dict[str, Any] = self.get("status")
        return found

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return ``stratd ps``, by id."""
        return {row["id"]: row for row in self.get("deployments")}

    def row(self, name: str) -> dict[str, Any]:
        """Return one row of ``stratd ps``."""
        return self.rows()[name]

    def describe(self, name: str) -> dict[str, Any]:
        """Return ``stratd describe``."""
        found: dict[str, Any] = self.get(f"deployments/{name}")
        return found

    def deaths(self, name: str) -> list[dict[str, Any]]:
        """Return the last deaths of a deployment, the newest first."""
        found: list[dict[str, Any]] = self.describe(name)["deaths"]
        return found

    def events(self, *kinds: str, name: str = "", after: int = 0) -> list[dict[str, Any]]:
        """Return events above a number: those of ``kinds``, if any are named, and of ``name``."""
        text = self.http.get("/events", params={"after": after, "n": 100_000}).text
        return [
            event for event in map(json.loads, text.splitlines())
            if (not kinds or event["kind"] in kinds) and (not name or event["deployment_id"] == name)
        ]  # fmt: skip

    @property
    def seq(self) -> int:
        """Number of the last event."""
        return max((event["seq"] for event in self.events()), default=0)

    # ---- what it is asked -----------------------------------------------------------------------
    def ask_start(self, name: str, strategy: str = "", **how: Any) -> httpx.Response:
        """Ask for a start; the answer, whatever it is. ``strategy`` is the id if it is not given."""
        body = {"id": name, **how}
        if strategy or name not in self.rows():
            body["strategy"] = strategy or name
        return self.http.post("/deployments", json=body)

    def start(self, name: str, strategy: str = "", **how: Any) -> dict[str, Any]:
        """Start a deployment; return its row once it runs (or at once, with ``wait=False``)."""
        answer = self.ask_start(name, strategy, **how)
        assert answer.status_code < 300, answer.text
        row: dict[str, Any] = answer.json()["deployment"]
        return row

    def rescan(self) -> None:
        """Let it look for strategies again, if it lives."""
        if self.popen.poll() is None and self.told("READY=1"):
            assert self.http.post("/strategies/rescan").status_code == 200

    def start_all(self, names: Sequence[str], strategy: str = "idle", **how: Any) -> None:
        """Start many at once, and wait until all of them run."""
        for name in names:
            self.start(name, strategy, wait=False, **how)
        for name in names:
            self.until_state(name, "running")

    def act(self, verb: str, *names: str, **how: Any) -> dict[str, Any]:
        """Carry out a verb on one or more; return what came of the first."""
        answer = self.http.post(f"/actions/{verb}", json={"ids": list(names), **how})
        assert answer.status_code == 200, answer.text
        first: dict[str, Any] = answer.json()["outcomes"][0]
        return first

    def clear(self) -> None:
        """End and forget every deployment: for the next scenario of a shared daemon."""
        if names := list(self.rows()):
            self.act("stop", *names, now=True)
            self.act("remove", *names)

    # ---- waiting --------------------------------------------------------------------------------
    def until(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until ``condition`` is true, and return its value. Mostly the daemon is asked for it."""
        return wait_until(condition, timeout=PATIENCE, what=what, at_most=0.05)

    def until_state(self, name: str, *states: str, generation: int = 0) -> dict[str, Any]:
        """Wait until a deployment is in one of ``states``, in this generation or a later one."""

        def there() -> dict[str, Any] | None:
            row = self.rows().get(name)
            return row if row and row["state"] in states and row["generation"] >= generation else None

        found: dict[str, Any] = self.until(there, f"{name} {' or '.join(states)}")
        return found

    def until_event(self, kind: str, name: str = "", after: int = 0) -> dict[str, Any]:
        """Wait for an event numbered above ``after``; return the first."""
        found: dict[str, Any] = self.until(
            lambda: self.events(kind, name=name, after=after), f"event {kind} of {name or 'anybody'}"
        )[0]
        return found

    def until_said(self, name: str, word: str, times: int = 1) -> list[str]:
        """Wait until a deployment has printed ``word`` so often; return what followed it."""

        def said() -> list[str] | None:
            found = self.site.said(name, word)
            return found if len(found) >= times else None

        found: list[str] = self.until(said, f"{name} printing {word!r} {times} times")
        return found


# ---- small things ----------------------------------------------------------------------------------
def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``under`` with what ``over`` says, table by table."""
    both = {key: merged(value, {}) if isinstance(value, Mapping) else value for key, value in under.items()}
    for key, value in over.items():
        mine = both.get(key)
        both[key] = merged(mine, value) if isinstance(mine, Mapping) and isinstance(value, Mapping) else value
    return both


def toml(table: Mapping[str, Any], path: str = "") -> str:
    """Write settings as TOML: what is no table is written as JSON has it, which TOML reads alike."""
    plain = [
        f"{key} = {json.dumps(value)}\n" for key, value in table.items() if not isinstance(value, Mapping)
    ]
    head = f"[{path}]\n" if path and plain else ""
    tables = [
        toml(value, f"{path}.{key}" if path else key)
        for key, value in table.items()
        if isinstance(value, Mapping)
    ]
    return head + "".join(plain) + "\n" + "".join(tables)


def _split(lines: Iterable[str]) -> Iterator[list[str]]:
    for line in lines:
        parts = line.split(" ", 3)
        if len(parts) == 4:
            yield parts
