"""The yardstick of cells: children of ``multiprocessing`` spawn, with the same imports, that say "ready".

A process of its own (``python spawned.py``), because spawn makes every child import its parent's main
module again: here that is this file, which imports next to nothing, so no child pays for the benchmark.
Each line on stdin is a number of children; the answer is one line: seconds until all are ready, and their
pids. An empty line ends them.
"""

from __future__ import annotations

import importlib
import multiprocessing
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

IMPORTS = (
    *("msgpack", "msgspec", "numpy", "numpy.random", "zmq", "bus.sockets", "strategies.host"),
    *("sandbox.warden", "sandbox.runner"),
)
"""What the two processes of a cell have imported (``sandbox.zygote``)."""


def be_ready(channel: Connection) -> None:
    """Import, say so, and stay until told to end."""
    for name in IMPORTS:
        importlib.import_module(name)
    channel.send(b"ready")
    channel.recv()


def serve() -> None:
    """Start children as stdin says."""
    context = multiprocessing.get_context("spawn")
    children: list[tuple[multiprocessing.process.BaseProcess, Connection]] = []
    for line in sys.stdin:
        if not line.strip():
            for _, channel in children:
                channel.send(b"end")
            for process, channel in children:
                process.join()
                channel.close()
            children = []
            print(flush=True)
            continue
        began = time.perf_counter()
        for _ in range(int(line)):
            ours, theirs = context.Pipe()
            process = context.Process(target=be_ready, args=(theirs,))
            process.start()
            theirs.close()
            children.append((process, ours))
        for _, channel in children:
            channel.recv()
        print(time.perf_counter() - began, *(process.pid for process, _ in children), flush=True)


class Spawner:
    """The process above, as a benchmark holds it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def _ask(self, line: str) -> list[str]:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("no pipes")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().split()

    def start(self, count: int) -> tuple[float, list[int]]:
        """Start ``count`` children at once; return seconds until all were ready, and their pids."""
        took, *pids = self._ask(str(count))
        return float(took), [int(pid) for pid in pids]

    def end(self) -> None:
        """End every child."""
        self._ask("")


if __name__ == "__main__":
    serve()
