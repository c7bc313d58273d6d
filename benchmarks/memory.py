"""Private memory (USS) of idle cells: what would be free again if one ended.

    python benchmarks/memory.py [--quick]

Read from outside (``/proc/PID/smaps_rollup``, which only the owner and root may read) when the cells have
been ready for some seconds of the engine's pulse. The yardstick is a spawned process with the same imports;
its shared pages are only files, so what it holds twice, a cell shares with the zygote.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from cells import Cells
from ratios import amount, arguments, ratio, report, say
from spawned import Spawner

MIB = 2**20


def uss(pid: int) -> float:
    """Return the private bytes of one process, in MiB."""
    return float(psutil.Process(pid).memory_full_info().uss) / MIB


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__ or "", rounds=20, quick=5)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        spawner = stack.enter_context(Spawner())
        cells = Cells(Path(folder), stack)
        living = cells.start(cells.announce(options.rounds))
        _, spawned = spawner.start(min(5, options.rounds))
        say("letting the cells idle")
        time.sleep(2 if options.quick else 10)
        wardens = [uss(cell.warden_pid) for cell in living if cell.warden_pid]
        strategies = [uss(cell.strategy_pid) for cell in living if cell.strategy_pid]
        alone = [uss(pid) for pid in spawned]
        zygote = psutil.Process(cells.nursery.pid).memory_full_info()
        cells.end(living)
        spawner.end()
    whole = [sum(pair) for pair in zip(wardens, strategies, strict=True)]
    mean = [sum(alone) / len(alone)] * len(whole)
    report(
        options,
        [
            amount("USS of an idle cell, both processes", whole, "MiB", "<= 8"),
            amount("  its warden", wardens, "MiB"),
            amount("  its strategy process", strategies, "MiB"),
            ratio("spawned process with the same imports / cell", mean, whole),
            amount("RSS of the zygote, shared with every cell", [zygote.rss / MIB], "MiB"),
            amount(f"  its share of it (PSS) with {len(whole)} cells", [zygote.pss / MIB], "MiB"),
        ],
        {"warden": [v * MIB for v in wardens], "strategy": [v * MIB for v in strategies]},
        "byte",
    )


if __name__ == "__main__":
    main()
