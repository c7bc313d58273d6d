"""A checkpoint of 4 KiB, from its arrival at the engine until it is durable, over a bare upsert of SQLite.

    python benchmarks/checkpoint.py [--quick]

A real engine is sent checkpoints by what plays a cell, 200 a second, one at a time: decoded, checked,
recorded by the core, appended to the journal's log and committed. The tables follow later, in the same
process: what that costs the next one is in the figures. The yardstick, in turns with it on the same file
system: one upsert a commit of 4 KiB into a table of one row, WAL, ``synchronous = NORMAL``, at that pace.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles

import msgspec
import zmq

import bare
from bus import topics
from bus.messages import CellCommand, Checkpoint, Hello, Running, Welcome, encode
from bus.sockets import CellLink
from engine import Engine, attach
from ratios import arguments, interleave, ratio, report
from timed_states import BURST_END

SIZE = 4096
RATE = 200
COUNT = 1000
WARM = 100
HERE = Path(__file__).parent

UPSERT = "INSERT INTO state VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET payload = excluded.payload"


class Bare:
    """One row in a database of its own."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "bare.db", isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("CREATE TABLE state (id INTEGER PRIMARY KEY, payload BLOB NOT NULL)")

    def burst(self, count: int) -> list[int]:
        """Write ``count`` states at the pace; return what each took in ns."""
        times = []
        for _ in pace(count):
            payload = os.urandom(SIZE)
            began = time.perf_counter_ns()
            self._database.execute(UPSERT, (payload,))
            times.append(time.perf_counter_ns() - began)
        return times

    def close(self) -> None:
        """Close the database."""
        self._database.close()


class Whole:
    """An engine, and a cell of it that is played here."""

    def __init__(self, folder: Path) -> None:
        self._times = bare.socket(zmq.PULL, RCVTIMEO=30_000)
        self._times.bind(f"ipc://{folder}/times")
        self._engine = Engine(folder, [sys.executable, "-B", str(HERE / "timed_states.py")])
        self._engine.tell(attach("saves", ["X"], ["1m"]))
        ready = self._engine.ready
        self._link = CellLink(
            ready.market_endpoint, ready.report_endpoint, "saves:1", "bench", [topics.cell("saves")]
        )
        self._welcome = self._begin()

    def _begin(self) -> Welcome:
        decode = msgspec.msgpack.Decoder(CellCommand).decode
        while True:
            self._link.send(encode(Hello()))
            for _, payload in self._link.receive(0.05):
                welcome = decode(payload).body
                if isinstance(welcome, Welcome):
                    self._link.send(encode(Running(welcome.position)))
                    return welcome

    def burst(self, count: int) -> list[int]:
        """Send ``count`` checkpoints at the pace; return what each took in ns."""
        welcome = self._welcome
        for number in pace(count):
            version = BURST_END if number == count - 1 else 1
            state = Checkpoint(os.urandom(SIZE), version, welcome.tape, welcome.position, welcome.at)
            self._link.send(encode(state))
            for _ in self._link.receive(0.0):  # what it is asked for
                pass
        return array("q", self._times.recv()).tolist()

    def close(self) -> None:
        """End the engine."""
        self._link.close()
        self._engine.stop()
        self._times.close()


def pace(count: int) -> Iterator[int]:
    """Yield numbers at ``RATE`` a second."""
    began = time.perf_counter()
    for number in range(count):
        wait = began + number / RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        yield number


def percentile(times: list[int], which: int) -> float:
    """Return a percentile in seconds."""
    return quantiles(times, n=100)[which - 1] / 1e9


def main() -> None:
    """Print the ratios."""
    options = arguments(__doc__ or "", rounds=9, quick=3)
    count = COUNT // 2 if options.quick else COUNT
    tails: dict[str, list[float]] = {"bare p99": [], "stratd p99": []}

    def case(name: str, system: Bare | Whole) -> float:
        times = system.burst(WARM + count)[WARM:]
        if len(times) < count:
            sys.exit(f"{name}: {count - len(times)} of {count} were lost")
        tails[f"{name} p99"].append(percentile(times, 99))
        return percentile(times, 50)

    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        yardstick, whole = Bare(folders[0]), Whole(folders[1])
        stack.callback(yardstick.close)
        stack.callback(whole.close)
        values = interleave(
            {"bare": lambda: case("bare", yardstick), "stratd": lambda: case("stratd", whole)}, options.rounds
        )
    report(
        options,
        [
            ratio(
                "checkpoint of 4 KiB, arrived to durable / bare upsert, median",
                values["stratd"],
                values["bare"],
                "<= 2",
            ),
            ratio(
                "checkpoint of 4 KiB, arrived to durable / bare upsert, p99",
                tails["stratd p99"],
                tails["bare p99"],
            ),
        ],
        values | tails,
        "second",
    )


if __name__ == "__main__":
    main()
