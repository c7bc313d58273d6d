"""Round trip of a tick and its answer through a cell, over one through a child with its own 0MQ sockets.

    python benchmarks/hop.py [--quick]

What the cell costs and nothing else: both are asked by the same publisher, subscribe and answer over the same
kind of sockets with the same credential, decode the same ticks and drive the same strategy by the same host.
The child hands what it hears to the host; the cell has a warden between, two more hops of a socket pair,
validation both ways, and every layer of confinement.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from bus import messages, topics
from bus.messages import CellCommand, Tick, Ticks, Welcome
from bus.sockets import CellLink, Gatekeeper, Hub, MarketSocket, ReportSocket
from cells import cell_spec_at, read, wait_until_awake
from ratios import arguments, interleave, ratio, report
from sandbox.nursery import Nursery
from sandbox.runner import DECODERS
from sandbox.spec import Ready
from strategies.config import RiskConfig, StrategyConfig
from strategies.host import Host

TRIPS = 2000
ANSWERS = """
from bus.messages import Signal
from strategies.api import IStrategy


class Answers(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        return Signal(symbol=data.symbol, intent="enter_long", quantity=1.0)
"""
_report = msgspec.msgpack.Decoder(messages.CellReport).decode
_command = msgspec.msgpack.Decoder(CellCommand).decode


class Bench:
    """The publisher's side: one market socket, one report socket, two who answer."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        cells = folder / "cells"
        cells.mkdir(mode=0o711)
        self.hub = Hub()
        stack.callback(self.hub.close)
        gate = stack.enter_context(Gatekeeper(self.hub, lambda _, token: token == "bench"))  # noqa: S105
        self.market_endpoint, self.report_endpoint = f"ipc://{cells}/market", f"ipc://{cells}/reports"
        self._market = stack.enter_context(MarketSocket(self.hub, self.market_endpoint))
        self._reports = stack.enter_context(ReportSocket(self.hub, self.report_endpoint))
        self.hub.watch(gate, gate.answer)
        self.hub.watch(self._reports, self._hear)
        self._seq = dict.fromkeys(("cell", "child"), 0)
        self._answers = dict.fromkeys(("cell", "child"), 0)
        self.running: set[str] = set()

    def _hear(self) -> None:
        for user, payload in self._reports.drain():
            name = user.partition(":")[0]
            match _report(payload):
                case messages.Hello():
                    welcome = CellCommand(1, Welcome(epoch=1, now=time.time_ns()))
                    self._market.send(topics.cell(name) + messages.encode(welcome))
                case messages.Running():
                    self.running.add(name)
                case messages.Signals():
                    self._answers[name] += 1

    def trip(self, name: str) -> float:
        """Return seconds from a tick of ``name``'s symbol to its answer, the mean of many one by one."""
        began = time.perf_counter()
        for _ in range(TRIPS):
            self._seq[name] += 1
            tick = Tick(name, time.time_ns(), 1.0, 1.0)
            self._market.send(topics.tick(name) + messages.encode(Ticks(1, self._seq[name], [tick])))
            while self._answers[name] < self._seq[name]:
                self.hub.wait(5.0)
        return (time.perf_counter() - began) / TRIPS


def be_child(market: str, reports: str, code: str) -> None:
    """Be the child: sockets, host and strategy in one process, and nothing between."""
    names: dict[str, object] = {}
    exec(compile(Path(code).read_text(), code, "exec"), names)  # noqa: S102 - ours, written above
    config = StrategyConfig(
        strategy_id="child", account_id="bench", trading_mode="paper", symbols=("child",),
        timeframes=("1m",), parameters={}, risk_management=RiskConfig(),
    )  # fmt: skip
    host = Host(names["Answers"](), config)  # type: ignore[operator]
    host.initialize()
    link = CellLink(market, reports, "child:1", "bench", [topics.cell("child"), topics.tick("child")])
    while not link.send(messages.encode(messages.Hello())):
        time.sleep(0.01)
    while True:
        for topic, payload in link.receive(60.0):
            decoder = DECODERS.get(topic[:2])
            event = _command(payload).body if decoder is None else decoder(payload)
            if signals := host.handle(event):
                link.send(messages.encode(messages.Signals(signals)))
            elif isinstance(event, Welcome):
                link.send(messages.encode(messages.Running()))


def main() -> None:
    """Print the ratio."""
    if sys.argv[1:2] == ["child"]:
        be_child(*sys.argv[2:5])
    options = arguments(__doc__ or "", rounds=15, quick=5)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bench = Bench(Path(folder), stack)
        code = Path(folder, "answers.py")
        code.write_text(ANSWERS)
        nursery = Nursery()
        nursery.start()
        stack.callback(nursery.close)
        wait_until_awake(nursery)
        endpoints = bench.market_endpoint, bench.report_endpoint
        cell = nursery.spawn(cell_spec_at(endpoints, "cell", code, ["cell"], ["1m"]))
        stack.callback(cell.close)
        ready = False
        while not ready:
            bench.hub.wait(0.01)
            read(nursery)
            ready = any(isinstance(said, Ready) for said in cell.receive())
        command = [sys.executable, __file__, "child", *endpoints, str(code)]
        child = stack.enter_context(subprocess.Popen(command))
        stack.callback(child.kill)
        while "child" not in bench.running:
            bench.hub.wait(0.1)
        cases = {"cell": lambda: bench.trip("cell"), "child": lambda: bench.trip("child")}
        interleave(cases, 1)
        values = interleave(cases, options.rounds)
    report(
        options,
        [ratio("round trip: cell / child with 0MQ sockets", values["cell"], values["child"], "<= 1.6")],
        values,
        "second",
    )


if __name__ == "__main__":
    main()
