"""What a cell lives in, for tests: a small engine on real 0MQ sockets, and a supervisor that listens.

All in the test's own thread: ``World.until`` turns both until something is true.
"""

from __future__ import annotations

import os
import select
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus import topics
from bus.messages import (
    Candle,
    Candles,
    CellCommand,
    CellReport,
    Hello,
    Pulse,
    Signals,
    Tick,
    Ticks,
    Welcome,
    encode,
)
from bus.sockets import Gatekeeper, Hub, MarketSocket, ReportSocket
from sandbox.confine.survey import Survey
from sandbox.handle import CellHandle
from sandbox.nursery import Nursery, NurseryReport, WardenExited
from sandbox.spec import Born, CellSpec, Died, LogLines, Ready, WardenReport, Warned
from tests.waiting import wait_until

TOKEN = "secret-of-the-cell"  # noqa: S105
EPOCH = 7
SECOND = 10**9
NOON = 1_700_000_000 * SECOND

decode_report = msgspec.msgpack.Decoder(CellReport).decode


class Engine:
    """Welcomes every cell that says hello, remembers what cells said, publishes what a test wants."""

    def __init__(self, folder: Path, name: str = "bus") -> None:
        self.hub = Hub()
        cells = folder / "cells"
        cells.mkdir(exist_ok=True)
        cells.chmod(0o711)
        self.market_endpoint = f"ipc://{cells}/{name}-market"
        self.report_endpoint = f"ipc://{cells}/{name}-report"
        self._gate = Gatekeeper(self.hub, lambda user, token: token == TOKEN)
        self._market = MarketSocket(self.hub, self.market_endpoint)
        self._reports = ReportSocket(self.hub, self.report_endpoint)
        self.hub.watch(self._gate, self._gate.answer)
        self.hub.watch(self._reports, self._take)
        self.said: list[tuple[str, Any]] = []
        self.epoch = EPOCH
        self.welcome: Callable[[str], Welcome] = lambda _: Welcome(epoch=self.epoch, now=NOON)
        self._seq: dict[bytes, int] = {}

    def _take(self) -> None:
        for user, payload in self._reports.drain():
            report = decode_report(payload)
            self.said.append((user, report))
            if isinstance(report, Hello):
                deployment, generation = user.rsplit(":", 1)
                self.command(deployment, int(generation), self.welcome(deployment))

    def of(self, kind: type) -> list[Any]:
        return [report for _, report in self.said if isinstance(report, kind)]

    def signals(self) -> list[Any]:
        return [one for report in self.of(Signals) for one in report.signals]

    def publish(self, topic: bytes, payload: bytes) -> None:
        self._market.send(topic + payload)

    def command(self, deployment: str, generation: int, body: Any) -> None:
        self.publish(topics.cell(deployment), encode(CellCommand(generation, body)))

    def ticks(self, symbol: str, *prices: float, start: int = NOON, seq: int | None = None) -> None:
        topic = topics.tick(symbol)
        first = self._seq.get(topic, 0) + 1 if seq is None else seq
        self._seq[topic] = first + len(prices) - 1
        batch = [Tick(symbol, start + i, price, 1.0) for i, price in enumerate(prices, first)]
        self.publish(topic, encode(Ticks(self.epoch, first, batch)))

    def candle(
        self, symbol: str, timeframe: str, close_time: int, close: float, period: int = 60 * SECOND
    ) -> None:
        topic = topics.candle(symbol)
        seq = self._seq[topic] = self._seq.get(topic, 0) + 1
        one = candle(symbol, timeframe, close_time, close, period)
        self.publish(topic, encode(Candles(self.epoch, seq, close_time, [one])))

    def pulse(self, now: int = NOON) -> None:
        last = {topic.decode(): seq for topic, seq in self._seq.items()}
        self.publish(topics.PULSE, encode(Pulse(self.epoch, now, last)))

    def close(self) -> None:
        for socket in (self._gate, self._market, self._reports):
            self.hub.unwatch(socket) if socket is not self._market else None
            socket.close()
        self.hub.close()


def candle(symbol: str, timeframe: str, close_time: int, close: float, period: int = 60 * SECOND) -> Candle:
    return Candle(symbol, timeframe, close_time - period, close_time, close, close, close, close, 1.0)


class Observed:
    """A cell and everything its warden reported."""

    def __init__(self, handle: CellHandle) -> None:
        self.handle = handle
        self.reports: list[WardenReport] = []
        self.warden_code: int | None = None

    def of(self, kind: type) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]

    @property
    def died(self) -> Died | None:
        found = self.of(Died)
        return found[0] if found else None

    @property
    def ready(self) -> bool:
        return bool(self.of(Ready))

    @property
    def born(self) -> Born | None:
        found = self.of(Born)
        return found[0] if found else None

    def lines(self, stream: str | None = None) -> list[str]:
        return [t for r in self.of(LogLines) for _, s, t in r.lines if stream in {None, s}]

    def warnings(self, kind: str) -> list[str]:
        return [w.detail for w in self.of(Warned) if w.kind == kind]


class World:
    """One nursery, one engine, and the cells of one test.

    A nursery that is given is shared with other tests: it is left as it is found, without a cell.
    """

    def __init__(self, folder: Path, survey: Survey | None = None, nursery: Nursery | None = None) -> None:
        self.folder = folder
        self.engine = Engine(folder)
        self._shared = nursery is not None
        self.nursery = nursery or Nursery(survey)
        self.news: list[NurseryReport] = []
        self.cells: list[Observed] = []
        self._written = 0

    def write(self, body: str) -> Path:
        """Write a strategy file; ``body`` is what its class adds, or a whole module with a class."""
        self._written += 1
        path = self.folder / f"strategy_{self._written}.py"
        body = textwrap.dedent(body)
        if "class " not in body:
            body = PREAMBLE + textwrap.indent(body, "    ")
        path.write_text(body)
        return path

    def spec(self, path: Path, **changes: Any) -> CellSpec:
        given: dict[str, Any] = {
            "deployment_id": f"cell-{len(self.cells)}",
            "generation": 1,
            "strategy": "mine",
            "version": "1.0.0",
            "code_path": str(path),
            "account_id": "paper-1",
            "trading_mode": "paper",
            "symbols": ["EURUSD"],
            "timeframes": ["1m"],
            "parameters": {},
            "market_endpoint": self.engine.market_endpoint,
            "report_endpoint": self.engine.report_endpoint,
            "token": TOKEN,
        }
        return CellSpec(**{**given, **changes})

    def start(self, body: str, **changes: Any) -> Observed:
        cell = Observed(self.nursery.spawn(self.spec(self.write(body), **changes)))
        self.cells.append(cell)
        return cell

    def running(self, body: str, **changes: Any) -> Observed:
        cell = self.start(body, **changes)
        self.until(lambda: cell.ready or cell.died, "the cell is ready")
        assert cell.ready, cell.reports
        return cell

    def ended(self, cell: Observed, timeout: float = 40.0) -> Died:
        self.until(lambda: cell.handle.gone, "the warden is gone", timeout)
        assert cell.died is not None, cell.reports
        return cell.died

    def ended_or_gone(self, cell: Observed) -> bool:
        """Whether the warden closed its end, with or without last words."""
        return bool(self.until(lambda: cell.handle.gone, "the warden is gone"))

    def turn(self) -> None:
        """One round: the engine's sockets, the wardens' reports, the zygote's."""
        self.engine.hub.wait(0.002)
        for cell in self.cells:
            cell.reports += cell.handle.receive()
        for news in self.nursery.read():
            self.news.append(news)
            if isinstance(news, WardenExited):
                next(c for c in self.cells if c.handle is news.cell).warden_code = news.code

    def until(self, condition: Callable[[], Any], what: str, timeout: float = 40.0) -> Any:
        deadline = time.monotonic() + timeout
        while True:
            self.turn()
            if value := condition():
                return value
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"{what}: not within {timeout} s; {self.news} {[c.reports[-3:] for c in self.cells]}"
                )

    def close(self) -> None:
        for cell in self.cells:
            cell.handle.kill()
            cell.handle.close()
        if self._shared:
            wait_until(lambda: _deserted(self.nursery), what="the end of every warden")
        else:
            self.nursery.close()
        self.engine.close()


def _deserted(nursery: Nursery) -> bool:
    """Whether the zygote has told of the end of each cell that was asked for."""
    nursery.read()
    return not nursery._asked and not nursery._cells


@contextmanager
def new_world(folder: Path, nursery: Nursery | None = None) -> Iterator[World]:
    world = World(folder, nursery=nursery)
    if world.nursery.fileno() < 0:
        world.nursery.start()
    try:
        yield world
    finally:
        world.close()


def gone(pidfd: int, timeout: float) -> bool:
    """Whether the process of ``pidfd`` ends within ``timeout`` seconds."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def look_into(pid: int | None) -> Path:
    """Return /proc/PID of a process of a cell, into whose memory only root may look (not dumpable)."""
    folder = Path(f"/proc/{pid}")
    try:
        (folder / "environ").read_bytes()
    except PermissionError:
        pytest.skip("only root may look into the memory of a cell")
    return folder


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


PREAMBLE = """
import os, sys, time
from strategies.api import IStrategy
from bus.messages import Signal


def buy(symbol="EURUSD", **more):
    return Signal(symbol=symbol, intent="enter_long", quantity=1.0, reason="test", **more)


class Mine(IStrategy):
    def initialize(self, config):
        self.config = config

    def on_candle_complete(self, timeframe, candle, data):
        return None

"""
