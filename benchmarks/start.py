"""Start of a cell to ready, one alone and 50 at once, over ``multiprocessing`` spawn with the same imports.

    python benchmarks/start.py [--quick]

The yardstick imports and says it is ready. The cell has more to do until then: it is forked twice, limited,
connects with its credential, loads and initialises its strategy, and is welcomed by a real engine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cells import Cells
from ratios import amount, arguments, interleave, ratio, report
from sandbox import channel
from spawned import IMPORTS, Spawner

HOPS = 2000


def hop() -> float:
    """Return seconds of one datagram there and back between two processes: the floor of any exchange."""
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


def bubblewrapped() -> float:
    """Return seconds until an interpreter in a sandbox of bubblewrap(1) has the same imports and says so."""
    imports = "; ".join(f"import {name}" for name in IMPORTS)
    root = Path(__file__).parents[1]
    command = [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv",
        "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--dev", "/dev", "--setenv", "PYTHONPATH", str(root),  # noqa: S108
        sys.executable, "-B", "-c", f"{imports}; print('ready', flush=True); import signal; signal.pause()",
    ]  # fmt: skip
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else b""
        took = time.perf_counter() - began
        process.kill()
    if line != b"ready\n":
        sys.exit("bwrap did not start")
    return took


def _ms(values: list[float]) -> list[float]:
    return [value * 1000 for value in values]


def main() -> None:
    """Print the ratios."""
    options = arguments(__doc__ or "", rounds=15, quick=5)
    many = 10 if options.quick else 50
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        spawner = stack.enter_context(Spawner())
        cells = Cells(Path(folder), stack)

        def spawned(count: int) -> float:
            took, _ = spawner.start(count)
            spawner.end()
            return took

        def started(count: int) -> float:
            specs = cells.announce(count)
            began = time.perf_counter()
            living = cells.start(specs)
            took = time.perf_counter() - began
            cells.end(living)
            return took

        cases = {"spawn": lambda: spawned(1), "cell": lambda: started(1), "hop": hop}
        interleave(cases, 1)  # the first of each also fills the page cache and makes the first connection
        values = interleave(cases, options.rounds)
        crowd = {"spawns at once": lambda: spawned(many), "cells at once": lambda: started(many)}
        values |= interleave(crowd, max(2, options.rounds // 5))
        if shutil.which("bwrap"):
            values |= interleave({"bwrap": bubblewrapped}, max(3, options.rounds // 3))
    wrapped = _ms(values.get("bwrap", []))
    peer = [amount("bwrap, python and the same imports, start to ready", wrapped, "ms")] if wrapped else []
    report(
        options,
        [
            ratio("spawn / cell, start to ready", values["spawn"], values["cell"], ">= 15"),
            amount("cell, start to ready, every layer on", _ms(values["cell"]), "ms", "<= 15"),
            *peer,
            ratio(
                f"{many} spawns / {many} cells, asked for at once, all ready",
                values["spawns at once"],
                values["cells at once"],
            ),
            ratio("cell start / one hop there and back", values["cell"], values["hop"]),
        ],
        values,
        "second",
    )


if __name__ == "__main__":
    main()
