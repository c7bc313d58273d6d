"""Cells on a real engine, started through a real zygote, for the benchmarks that need them."""

from __future__ import annotations

import select
import sys
from contextlib import ExitStack
from pathlib import Path

from engine import Engine, attach
from sandbox.handle import CellHandle
from sandbox.nursery import Awake, NotForked, Nursery, NurseryReport, WardenExited, ZygoteGone
from sandbox.spec import CellSpec, Died, Limits, Ready

IDLE = """
from strategies import IStrategy


class Idle(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""
PATIENCE = 60.0
"""Seconds without a word from anybody after which a benchmark gives up."""


def cell_spec(engine: Engine, identity: str, code: Path, timeframes: list[str]) -> CellSpec:
    """Grant a cell what the benchmarks' engine announced (``engine.attach``)."""
    ready = engine.ready
    return cell_spec_at((ready.market_endpoint, ready.report_endpoint), identity, code, ["X"], timeframes)


def cell_spec_at(
    endpoints: tuple[str, str], identity: str, code: Path, symbols: list[str], timeframes: list[str]
) -> CellSpec:
    """Grant a cell whatever the benchmarks need, on the endpoints of market and reports."""
    return CellSpec(
        deployment_id=identity,
        generation=1,
        strategy="bench",
        version="1",
        code_path=str(code),
        account_id="bench",
        trading_mode="paper",
        symbols=symbols,
        timeframes=timeframes,
        parameters={},
        market_endpoint=endpoints[0],
        report_endpoint=endpoints[1],
        token="bench",  # noqa: S106 - no secret
        limits=Limits(signals_per_s=1_000_000),
    )


def wait_until_ready(nursery: Nursery, cells: list[CellHandle]) -> None:
    """Block until every one of ``cells`` has said ``Ready``; exit if one dies or all are silent."""
    poll, waiting = select.poll(), {cell.fileno(): cell for cell in cells}
    for descriptor in (nursery.fileno(), *waiting):
        poll.register(descriptor, select.POLLIN)
    while waiting:
        ready = poll.poll(PATIENCE * 1000)
        if not ready:
            sys.exit(f"{len(waiting)} of {len(cells)} cells were not ready within {PATIENCE:g} s")
        for descriptor, _ in ready:
            if descriptor not in waiting:
                read(nursery)
                continue
            for report in waiting[descriptor].receive():
                if isinstance(report, Died):
                    sys.exit(f"a cell died: {report}")
                if isinstance(report, Ready):
                    poll.unregister(descriptor)
                    del waiting[descriptor]
                    break


def read(nursery: Nursery) -> list[NurseryReport]:
    """Return what the zygote has said; exit if it ended or could not fork."""
    reports = nursery.read()
    for report in reports:
        if isinstance(report, NotForked | ZygoteGone):
            sys.exit(f"no cells: {report}")
    return reports


def wait_until_awake(nursery: Nursery) -> None:
    """Block until the zygote serves."""
    while not any(isinstance(report, Awake) for report in read(nursery)):
        select.select([nursery], [], [], PATIENCE)


class Cells:
    """An engine and an awake zygote in ``folder``; ends them with ``stack``."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._code = folder / "idle.py"
        self._code.write_text(IDLE)
        self.engine = Engine(folder)
        stack.callback(self.engine.stop)
        self.nursery = Nursery()
        self.nursery.start()
        stack.callback(self.nursery.close)
        wait_until_awake(self.nursery)
        self._born = 0

    def announce(self, count: int) -> list[CellSpec]:
        """Announce ``count`` cells to the engine and return what to start."""
        specs = []
        for _ in range(count):
            self._born += 1
            identity = f"idle{self._born}"
            self.engine.tell(attach(identity, ["X"], ["1m"]))
            specs.append(cell_spec(self.engine, identity, self._code, ["1m"]))
        return specs

    def start(self, specs: list[CellSpec]) -> list[CellHandle]:
        """Start cells at once; return when all are ready."""
        cells = [self.nursery.spawn(spec) for spec in specs]
        wait_until_ready(self.nursery, cells)
        return cells

    def end(self, cells: list[CellHandle]) -> None:
        """Kill cells and wait until the zygote has buried them: their ends are no part of what comes next."""
        pids = {cell.warden_pid for cell in cells}
        for cell in cells:
            cell.kill()
        while pids:
            select.select([self.nursery], [], [], PATIENCE)
            for report in read(self.nursery):
                if isinstance(report, WardenExited):
                    pids.discard(report.cell.warden_pid)
        for cell in cells:
            cell.close()
