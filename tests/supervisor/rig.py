"""A daemon with everything real but the market: engine, zygote, cells, database, in folders of its own."""

from __future__ import annotations

import asyncio
import ctypes
import json
import shutil
import signal
import tempfile
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from supervisor.config import load
from supervisor.daemon import Daemon
from supervisor.port import Port
from supervisor.schema import Selection, StartRequest
from supervisor.survey import take
from tests.waiting import until

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2)."""
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""What a daemon handles."""
SETTINGS = """
state_dir = "{base}/state"
runtime_dir = "{base}/run"

[strategies]
path = ["{base}/strategies"]

[restart]
delay = 0.02
jitter = 0.0
max_restarts = 3
window = 60
ready_timeout = 20
stop_timeout = 20
kill_timeout = 0.5

[budgets.cleanup]
soft = 0.1
hard = 20
"""


class Rig:
    """Folders, strategies by name, and daemons over them, one after the other."""

    def __init__(self) -> None:
        # Not pytest's tmp_path: the path of a Unix socket holds 107 bytes (unix(7)).
        self.base = Path(tempfile.mkdtemp(prefix="stratd-"))
        (self.base / "strategies").mkdir()
        self.settings = SETTINGS
        self.environ: dict[str, str] = {}
        self.survey = take
        """What the daemon is told of its host."""
        self.clock: Callable[[], int] = time.time_ns
        """The clock on the wall, for schedules."""
        self.strategy("idle")

    def strategy(self, name: str, *, initialize: str = "pass", stop: str = "pass", head: str = "") -> Path:
        """Write a strategy: bodies of ``initialize`` and ``cleanup``, and what stands before the class."""
        folder = self.base / "strategies" / name
        folder.mkdir(exist_ok=True)
        config = {"name": name, "version": "1.0.0", "timeframes": ["1m"], "symbols": ["EURUSD"]}
        (folder / "config.json").write_text(json.dumps(config))

        def body(code: str) -> str:
            return textwrap.indent(textwrap.dedent(code).strip(), " " * 8)

        (folder / "strategy.py").write_text(
            f"from strategies import IStrategy\n{textwrap.dedent(head)}\n\n"
            "class Strategy(IStrategy):\n"
            f"    def initialize(self, config):\n{body(initialize)}\n\n"
            "    def on_candle_complete(self, timeframe, candle, data):\n        return None\n\n"
            f"    def cleanup(self):\n{body(stop)}\n"
        )
        return folder

    def impatient(self) -> None:
        """Give goodbyes half a second: for strategies that do not end of themselves."""
        self.settings = self.settings.replace("stop_timeout = 20", "stop_timeout = 0.5")

    def now(self) -> int:
        """Tell the time by the clock that a test may have put here meanwhile."""
        return self.clock()

    def load(self):
        path = self.base / "stratd.toml"
        path.write_text(self.settings.format(base=self.base))
        return load(self.environ, file=path)

    def run(self, scenario: Callable[[Scene], Awaitable[None]], calendars=lambda names: {}) -> None:
        """Start a daemon, live through ``scenario``, and stop it in order."""

        async def live() -> None:
            before = {number: signal.getsignal(number) for number in HANDLED}
            daemon = Daemon(self.load(), calendars=calendars, survey=self.survey)
            daemon.scheduling.clock = self.now
            try:
                await daemon.start()
                await asyncio.wait_for(scenario(Scene(self, daemon)), 240)
                await daemon.stop_deployments()
            finally:
                await daemon.stop()
                loop = asyncio.get_running_loop()
                for number, handler in before.items():
                    loop.remove_signal_handler(number)
                    signal.signal(number, handler)  # a shell has its background jobs ignore SIGINT
                release_orphans()

        asyncio.run(live())

    def remove(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)


def release_orphans() -> None:
    """Be no subreaper any longer, as after the daemon's process: another test's orphans are not ours."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


class Scene:
    """A running daemon and the words to use on it."""

    def __init__(self, rig: Rig, daemon: Daemon) -> None:
        self.rig = rig
        self.daemon = daemon
        self.port = Port(daemon)

    async def start(self, name: str, strategy: str | None = None, *, owner: bool = False, **how):
        request = StartRequest(id=name, strategy=strategy or name, **how)
        return await self.port.start(request, owner=owner)

    async def verb(self, verb: str, *ids: str, now: bool = False, wait: bool = True, reason: str = ""):
        selection = Selection(ids=list(ids))
        (outcome,) = (await getattr(self.port, verb)(selection, reason=reason, now=now, wait=wait)).outcomes
        return outcome

    async def row(self, name: str):
        return next(row for row in await self.port.deployments() if row.id == name)

    async def until(self, condition: Callable[[], Awaitable[object]], what: str):
        return await until(condition, seconds=100, what=what)

    async def state(self, name: str, *states: str):
        async def there():
            rows = await self.port.deployments()
            return next((row for row in rows if row.id == name and row.state in states), None)

        return await self.until(there, f"{name} {' or '.join(states)}")

    async def event(self, kind: str, name: str = ""):
        async def there():
            return [
                event async for event in await self.port.events(after=0, n=10_000, follow=False)
                if event.kind == kind and event.deployment_id in (name, "")
            ]  # fmt: skip

        return (await self.until(there, f"event {kind}"))[-1]
