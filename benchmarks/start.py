"""Start of a cell to ready, one alone and 50 at once, over ``multiprocessing`` spawn with the same imports.

    python benchmarks/start.py [--quick]

The yardstick imports and says it is ready. The cell has more to do until then: it is forked twice, limited,
connects with its credential, loads and initialises its strategy, and is welcomed by a real engine.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cells import Cells
from ratios import arguments, interleave, ratio, report
from sandbox import channel
from spawned import Spawner

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
    report(
        options,
        [
            ratio("spawn / cell, start to ready", values["spawn"], values["cell"], ">= 15"),
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
