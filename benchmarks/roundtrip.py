"""Tick to checked, journalled signal through the whole of stratd, over a bare pyzmq relay.

    python benchmarks/roundtrip.py [--quick]

The whole path: publisher, engine (decoding, validation, six candles, publication), warden, strategy process
with a Python strategy that answers every tick, warden, engine (identity, gate, paper broker, journal commit).
The yardstick: publisher, SUB->PUB loop, child, PULL, with nothing in between (bare.py). Both at 1,000
ticks/s, in bursts that take turns, and both from the publisher's stamp: there to the collector's receipt,
here to the end of the commit, which is one step further (two hops of a socket pair, and the work, more).

The processor time of a tick is told beside it, without the publisher's, which is the same process in both:
at this rate it is what decides how the path fares on a machine that has other work.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
import time
from array import array
from itertools import chain
from pathlib import Path
from statistics import quantiles

import msgspec
import zmq

import bare
from cells import cell_spec, wait_until_ready
from engine import Engine, attach
from ratios import arguments, interleave, ratio, report
from sandbox.handle import CellHandle
from sandbox.nursery import Nursery
from throughput import TIMEFRAMES, end

ROLES = ("collector", "hub", "child")
RATE = 1000
TICKS = 2000
WARM = 200
HERE = Path(__file__).parent
STRATEGY = '''
from strategies import IStrategy, Signal


class Answers(IStrategy):
    """Answers every tick with a signal that can be accepted: in with one, out with the next."""

    def initialize(self, config):
        pass

    def on_tick(self, data):
        tick = data.tick
        if tick.trade_id:
            return Signal(symbol=tick.symbol, intent="cancel", reason="end")
        if tick.seq % 2:
            return Signal(symbol=tick.symbol, intent="enter_long", quantity=1, reason="tick")
        return Signal(symbol=tick.symbol, intent="exit_long", reason="tick")

    def on_candle_complete(self, timeframe, candle, data):
        return None
'''


class Bare:
    """The relay of bare.py, alive for the whole benchmark."""

    def __init__(self, folder: Path) -> None:
        self._source, self._ages = bare.socket(zmq.PUB), bare.socket(zmq.PULL, RCVTIMEO=30_000)
        self._source.bind(f"ipc://{folder}/in")
        self._ages.bind(f"ipc://{folder}/ages")
        self._started = [bare.start(role, folder) for role in ROLES]
        self._ages.recv()
        while not self.burst(20):  # until the subscriptions are there
            pass
        self.pids = {role: process.pid for role, process in zip(ROLES, self._started, strict=True)}

    def burst(self, count: int) -> list[int]:
        """Send ``count`` messages at the rate; return their round trips in ns."""
        pad = bytes(50)
        for _ in pace(count):
            self._source.send_multipart((b"tick.X", time.time_ns().to_bytes(8, "little") + pad))
        self._source.send_multipart((b"tick.X", b"end"))
        if not self._ages.poll(2000):
            return []
        return array("q", self._ages.recv()).tolist()

    def close(self) -> None:
        """End its processes."""
        end(self._started)
        self._source.close()
        self._ages.close()


class Whole:
    """An engine and a cell, as in production, and a publisher."""

    def __init__(self, folder: Path) -> None:
        self._source, self._ages = bare.socket(zmq.XPUB), bare.socket(zmq.PULL, RCVTIMEO=30_000)
        self._source.bind(f"ipc://{folder}/in")
        self._ages.bind(f"ipc://{folder}/engine-ages")
        self.engine = Engine(folder, [sys.executable, "-B", str(HERE / "timed_engine.py")])
        self.engine.feed(f"ipc://{folder}/in")
        self._source.recv()
        self._seq = 0
        self.verdicts = ""
        self._nursery = Nursery()
        self._nursery.start()
        self.cell = self._start(folder)
        self.pids = {
            "engine": self.engine.process.pid,
            "warden": self.cell.warden_pid,
            "strategy": self.cell.strategy_pid,
        }

    def _start(self, folder: Path) -> CellHandle:
        code = folder / "answers.py"
        code.write_text(textwrap.dedent(STRATEGY))
        self.engine.tell(attach("answers", ["X"], TIMEFRAMES))
        cell = self._nursery.spawn(cell_spec(self.engine, "answers", code, TIMEFRAMES))
        wait_until_ready(self._nursery, [cell])
        return cell

    def burst(self, count: int) -> list[int]:
        """Send ``count`` ticks at the rate; return the round trips of their signals in ns."""
        encode = msgspec.msgpack.encode
        for number in chain(pace(count), [None]):
            self._seq += 1
            # Within the gate's collar, however far the strategy is behind: all are accepted, and all fill.
            tick = ["X", time.time_ns(), 100.0 + self._seq % 7 / 10, 1.0, 99.9, 100.7, 5.0, 5.0, self._seq]
            if number is None:
                tick.append(f"end {self._seq}")
            self._source.send_multipart((b"tick.X", encode(tick)))
        if not self._ages.poll(10_000):
            sys.exit(f"no end of the burst was judged; the cell says {self.cell.receive()}")
        ages, verdicts = self._ages.recv_multipart()
        self.verdicts = verdicts.decode()
        return array("q", ages).tolist()

    def close(self) -> None:
        """End its processes."""
        self.cell.kill()
        self.cell.close()
        self._nursery.close()
        self.engine.stop()
        self._source.close()
        self._ages.close()


def pace(count: int):  # noqa: ANN201 - an iterator of ints
    """Yield numbers at ``RATE`` a second."""
    began = time.perf_counter()
    for number in range(count):
        wait = began + number / RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        yield number


def busy(pid: int) -> int:
    """Return the processor time of a process so far in ns, of all its threads.

    It is the first number of ``schedstat`` (sched-stats in the kernel's documentation).
    """
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def percentile(ages: list[int], which: int) -> float:
    """Return a percentile in seconds."""
    return quantiles(ages, n=100)[which - 1] / 1e9


def total(worked: dict[str, list[float]], system: Bare | Whole) -> list[float]:
    """Return the processor time of all processes of one system, a round each."""
    return [sum(each) for each in zip(*(worked[role] for role in system.pids), strict=True)]


def main() -> None:
    """Print both ratios."""
    options = arguments(__doc__ or "", rounds=7, quick=3)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        yardstick, whole = Bare(Path(one)), Whole(Path(two))
        try:
            tails: dict[str, list[float]] = {"bare p99": [], "stratd p99": []}
            worked: dict[str, list[float]] = {role: [] for role in (*yardstick.pids, *whole.pids)}

            def case(name: str, system: Bare | Whole) -> float:
                before = {role: busy(pid) for role, pid in system.pids.items()}
                ages = system.burst(TICKS + WARM)[WARM:]
                for role, pid in system.pids.items():
                    worked[role].append((busy(pid) - before[role]) / (TICKS + WARM) / 1e9)
                if len(ages) < TICKS:
                    print(getattr(system, "verdicts", ""), file=sys.stderr)
                    sys.exit(f"{name}: {TICKS - len(ages)} of {TICKS} were lost")
                tails[f"{name} p99"].append(percentile(ages, 99))
                return percentile(ages, 50)

            values = interleave(
                {"bare": lambda: case("bare", yardstick), "stratd": lambda: case("stratd", whole)},
                options.rounds,
            )
        finally:
            whole.close()
            yardstick.close()
    report(
        options,
        [
            ratio(
                "round trip tick to signal / bare relay, median", values["stratd"], values["bare"], "<= 1.7"
            ),
            ratio(
                "round trip tick to signal / bare relay, p99",
                tails["stratd p99"],
                tails["bare p99"],
                "<= 2.5",
            ),
            ratio("  processor time of a tick, engine / bare hub", worked["engine"], worked["hub"]),
            ratio("  processor time of a tick, warden / bare child", worked["warden"], worked["child"]),
            ratio("  processor time of a tick, strategy / bare child", worked["strategy"], worked["child"]),
            ratio("  processor time of a tick, all / all", total(worked, whole), total(worked, yardstick)),
        ],
        values | tails | worked,
        "second",
    )
    print(f"verdicts of the last burst: {whole.verdicts}")


if __name__ == "__main__":
    main()
