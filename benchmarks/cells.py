"""Start of a cell against ``multiprocessing`` spawn, its idle memory, and the hop between its two processes.

The yardstick of the start is a process spawned with the same imports that says it is ready; the cell has
to do more until then: fork twice, limit, connect, load its code, initialise it and be welcomed by a real
engine. Memory is USS (what would be free again if it ended), read from outside.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import tempfile
import time
from contextlib import ExitStack
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import msgspec
import psutil
from engine import Engine, attach
from ratios import arguments, interleave, keep, ratio_line
from roundtrip import cell_spec, start_cell

from sandbox import channel
from sandbox.nursery import Nursery
from sandbox.zygote import PRELOAD

STRATEGY = """
from strategies import IStrategy


class Idle(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""
IMPORTS = (*PRELOAD, "sandbox.runner", "sandbox.warden")
HOPS = 2000


def be_ready(ready: Connection) -> None:
    """Import what a cell has imported, say so."""
    for name in IMPORTS:
        importlib.import_module(name)
    ready.send(b"ready")


def spawn() -> float:
    """Return seconds from start to ready of a spawned process."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    began = time.perf_counter()
    process = context.Process(target=be_ready, args=(theirs,))
    process.start()
    ours.recv()
    took = time.perf_counter() - began
    process.join()
    return took


def hop() -> float:
    """Return seconds of one datagram there and back between two processes, blocking, one core each."""
    ours, theirs = channel.pair()
    pid = os.fork()
    if pid == 0:
        for _ in range(HOPS):
            theirs.send(theirs.recv(65536))
        os._exit(0)
    began = time.perf_counter()
    for _ in range(HOPS):
        ours.send(b"x" * 100)
        ours.recv(65536)
    took = (time.perf_counter() - began) / HOPS
    os.waitpid(pid, 0)
    ours.close()
    theirs.close()
    return took


class Cells:
    """A real engine and a zygote that is awake."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._code = folder / "idle.py"
        self._code.write_text(STRATEGY)
        self.engine = Engine(folder)
        stack.callback(self.engine.stop)
        self.nursery = Nursery()
        self.nursery.start()
        stack.callback(self.nursery.close)
        self._numbers = count(1)
        self.memory: list[float] = []

    def start(self) -> float:
        """Return seconds from the request to ``Ready`` of one cell; note its memory, end it."""
        identity = f"idle{next(self._numbers)}"
        self.engine.tell(attach(identity, ["X"], ["1m"]))
        granted = msgspec.structs.replace(cell_spec(self.engine, identity, self._code), timeframes=["1m"])
        began = time.perf_counter()
        cell = start_cell(self.nursery, granted)
        took = time.perf_counter() - began
        pids = (cell.warden_pid, cell.strategy_pid)
        self.memory.append(sum(psutil.Process(pid).memory_full_info().uss for pid in pids) / 2**20)
        cell.kill()
        cell.close()
        return took


def main() -> None:
    """Print the ratios."""
    options = arguments(__doc__ or "", rounds=15)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        cells = Cells(Path(folder), stack)
        cells.start()
        values = interleave({"spawn": spawn, "cell": cells.start, "hop": hop}, options.rounds)
        print(ratio_line("spawn / cell, start to ready", values["spawn"], values["cell"], ">= 15x"))
        print(f"{'USS of an idle cell, both processes, MiB':58} {median(cells.memory):7.2f}    wanted <= 8")
        print(ratio_line("cell start / one hop there and back", values["cell"], values["hop"], "-"))
        keep(options.output, values, "second")


if __name__ == "__main__":
    main()
