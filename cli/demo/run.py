"""The demo itself: a daemon of its own in a temporary folder, a publisher, nine deployments, a verdict."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bus.pacing import ReplayResult, publish
from bus.sockets import Publisher
from cli.client import Client
from cli.demo.market import Source
from cli.demo.plan import Part
from cli.demo.verdict import Fact
from cli.errors import FAILED, CommandError
from supervisor.client.calls import daemon as calls
from supervisor.client.calls import running

SETTLE = 6.0
"""Seconds that the last ticks may take to be delivered and counted, and the last culprit to be caught."""
START = 20.0


@dataclass(frozen=True)
class Result:
    """What the demo saw, and what is wrong with it."""

    facts: list[Fact]
    published: dict[str, int]
    seconds: float


class Demo:
    """Owns the folder, the daemon and the publisher. ``run`` takes about ``seconds`` and five more."""

    def __init__(
        self, source: Source, parts: tuple[Part, ...], on_look: Callable[[list[Fact]], None]
    ) -> None:
        self._source = source
        self._parts = parts
        self._on_look = on_look

    def run(self) -> Result:
        """Run everything and return what was seen; ``CommandError`` if it could not even begin."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="stratd-demo-") as name:
            folder = Path(name)
            endpoint = f"ipc://{folder}/feed"
            with Publisher(endpoint) as publisher, self._daemon(folder, endpoint) as client:
                if not publisher.wait_for_subscriber(START):
                    raise CommandError(FAILED, f"the demo's engine did not subscribe within {START:g} s")
                pids = {part.id: self._start(client, part) for part in self._parts}
                counts = self._trade(publisher, client, pids)
                facts = self._settle(client, pids, counts)
        return Result(facts, counts, time.monotonic() - began)

    @contextmanager
    def _daemon(self, folder: Path, endpoint: str) -> Iterator[Client]:
        """Run ``stratd serve`` with its own folders; its log is shown only if it fails to come up."""
        config = folder / "stratd.toml"
        config.write_text(_CONFIG.format(endpoint=endpoint, strategies=Path(__file__).parent / "strategies"))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("STRATD_")}
        environment |= {"STRATD_STATE_DIR": str(folder / "state"), "STRATD_RUNTIME_DIR": str(folder / "run")}
        environment["STRATD_API__PORT"] = "0"  # a daemon of this host may have the port
        with (folder / "daemon.log").open("w+b") as log:
            daemon = subprocess.Popen(
                [sys.executable, "-P", "-m", "cli.main", "serve", "--config", str(config)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which then stops its daemon in order
            )
            try:
                client = Client(folder / "run" / "api.sock")
                self._wait_until_up(client, daemon, folder / "daemon.log")
                yield client
            finally:
                daemon.terminate()
                try:
                    daemon.wait(15)
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    daemon.wait()

    def _wait_until_up(self, client: Client, daemon: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + START
        while daemon.poll() is None and time.monotonic() < deadline:
            with suppress(CommandError):
                client.call(calls.status)
                return
            time.sleep(0.05)
        tail = log.read_text(errors="replace").strip().splitlines()[-5:]
        raise CommandError(FAILED, "the demo's daemon did not come up", *tail)

    def _start(self, client: Client, part: Part) -> int | None:
        answer = client.call(
            running.start,
            part.id,
            strategy=part.strategy,
            symbols=part.symbols,
            timeframes=part.timeframes,
            parameters=part.parameters,
            account="demo",
            memory=part.memory,
            cpu=part.cpu,
            trust=True,  # its strategies are shipped with it, so they run on every host
        )
        row = json.loads(answer)["deployment"]
        if row["state"] != "running":
            raise CommandError(FAILED, f"{part.id} did not start: it is {row['state']} ({row['reason']})")
        pid: int | None = row["pid"]
        return pid

    def _trade(self, publisher: Publisher, client: Client, pids: dict[str, int | None]) -> dict[str, int]:
        """Publish in a thread of its own while the table is drawn; return the ticks sent per symbol."""
        done: list[ReplayResult] = []
        stop = threading.Event()

        def work() -> None:
            messages = self._source.messages()
            done.append(publish(messages, publisher, speed=self._source.speed, should_stop=stop.is_set))

        thread = threading.Thread(target=work, name="publisher", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(0.5)
                self._on_look(self._look(client, pids, {}))
        finally:
            stop.set()
            thread.join()
        if not done:
            raise CommandError(FAILED, "the demo's publisher failed")
        return dict(done[0].symbols)

    def _settle(self, client: Client, pids: dict[str, int | None], counts: dict[str, int]) -> list[Fact]:
        """Wait until every published tick is counted as delivered, or the time is up."""
        deadline = time.monotonic() + SETTLE
        while True:
            facts = self._look(client, pids, counts)
            settled = all(
                fact.delivered == fact.published if fact.part.behaves else fact.cause in fact.part.causes
                for fact in facts
            )
            if settled or time.monotonic() > deadline:
                return facts
            time.sleep(0.1)

    def _look(self, client: Client, pids: dict[str, int | None], counts: dict[str, int]) -> list[Fact]:
        return [self._fact(client, part, pids[part.id], counts) for part in self._parts]

    def _fact(self, client: Client, part: Part, pid: int | None, counts: dict[str, int]) -> Fact:
        seen = json.loads(client.call(running.deployment, part.id))
        signals, death = seen["signals"], (seen["deaths"] or [None])[0]
        return Fact(
            part=part,
            state=seen["state"],
            pid_changed=seen["pid"] != pid,
            published=sum(counts.get(s, 0) for s in part.symbols) if counts else seen["published"],
            delivered=seen["ticks"],
            gaps=seen["gaps"],
            candles=seen["candles"],
            accepted=signals["accepted"],
            refused=signals["rejected"] + signals["duplicate"] + signals["expired"],
            traded=any(p["quantity"] or p["realised"] for p in seen["positions"]),
            profit=_profit(seen["positions"]),
            deaths=len(seen["deaths"]),
            cause=death["cause"] if death else "",
            detail=death["detail"] if death else "",
        )


def _profit(positions: list[dict[str, Any]]) -> float | None:
    """Realised and unrealised together; unknown as soon as one part is."""
    parts = [(p["realised"], p["unrealised"] if p["quantity"] else 0.0) for p in positions]
    if any(open_part is None for _, open_part in parts):
        return None
    return float(sum(closed + open_part for closed, open_part in parts))


_CONFIG = """\
[feeds.demo]
endpoint = "{endpoint}"

[strategies]
path = ["{strategies}"]

[quota]
cpu_policy = "kill"
cpu_window = 3.0
"""
