"""A hundred cells at once: how long until all are ready, and how much memory they take together.

    python benchmarks/crowd.py [--quick]

Memory is the share of each process in what it uses (PSS, ``/proc/PID/smaps_rollup``), added up with the
zygote's, so that what they share is counted once.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from cells import Cells
from ratios import amount, arguments, report

MIB = 2**20
MANY = 100


def pss(pid: int) -> float:
    """Return a process' share of the memory that it uses, in MiB."""
    return float(psutil.Process(pid).memory_full_info().pss) / MIB


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__ or "", rounds=3, quick=1)
    took, memory = [], []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        cells = Cells(Path(folder), stack)
        cells.end(cells.start(cells.announce(1)))
        for _ in range(options.rounds):
            specs = cells.announce(MANY)
            began = time.perf_counter()
            living = cells.start(specs)
            took.append(time.perf_counter() - began)
            pids = [pid for cell in living for pid in (cell.warden_pid, cell.strategy_pid) if pid]
            memory.append(sum(map(pss, [*pids, cells.nursery.pid or 0])))
            cells.end(living)
    report(
        options,
        [
            amount(f"{MANY} cells asked for at once, all ready", took, "s", "< 3"),
            amount(f"memory of {MANY} cells and their zygote (PSS)", memory, "MiB", "<= 1024"),
        ],
        {"start": took, "memory": [value * MIB for value in memory]},
        "second",
    )


if __name__ == "__main__":
    main()
