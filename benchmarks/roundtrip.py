"""Tick to checked, journalled signal through the whole of stratd, over a bare pyzmq relay.

    python benchmarks/roundtrip.py [--rounds N]

The whole path: publisher, engine (decoding, validation, six candles, publication), warden, strategy process
with a Python strategy that answers every tick, warden, engine (identity, gate, paper broker, journal commit).
The yardstick: publisher, SUB->PUB loop, child, PULL, with nothing in between (bare.py). Both at 1,000
ticks/s, in bursts that take turns.
"""

from __future__ import annotations

import select
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
from engine import Engine, attach
from ratios import arguments, interleave, keep, ratio_line
from sandbox.nursery import CellHandle, Nursery
from sandbox.spec import CellSpec, Died, Limits, Ready
from throughput import end

RATE = 1000
TICKS = 2000
WARM = 200
HERE = Path(__file__).parent
STRATEGY = '''
from strategies import IStrategy, Signal


class Answers(IStrategy):
    """Answers every tick with a signal that can be accepted."""

    def initialize(self, config):
        pass

    def on_tick(self, data):
        tick = data.tick
        if tick.trade_id:
            return Signal(symbol=tick.symbol, intent="cancel", reason="end")
        return Signal(symbol=tick.symbol, intent="enter_long", quantity=1, reason="tick")

    def on_candle_complete(self, timeframe, candle, data):
        return None
'''


class Bare:
    """The relay of bare.py, alive for the whole benchmark."""

    def __init__(self, folder: Path) -> None:
        self._source, self._ages = bare.socket(zmq.PUB), bare.socket(zmq.PULL, RCVTIMEO=30_000)
        self._source.bind(f"ipc://{folder}/in")
        self._ages.bind(f"ipc://{folder}/ages")
        self._started = [bare.start(role, folder) for role in ("collector", "hub", "child")]
        self._ages.recv()
        while not self.burst(20):  # until the subscriptions are there
            pass

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

    def _start(self, folder: Path) -> CellHandle:
        code = folder / "answers.py"
        code.write_text(textwrap.dedent(STRATEGY))
        self.engine.tell(attach("answers", ["X"], ["1s", "5s", "15s", "1m", "5m", "1h"]))
        return start_cell(self._nursery, cell_spec(self.engine, "answers", code))

    def burst(self, count: int) -> list[int]:
        """Send ``count`` ticks at the rate; return the round trips of their signals in ns."""
        encode = msgspec.msgpack.encode
        for number in chain(pace(count), [None]):
            self._seq += 1
            tick = ["X", time.time_ns(), 100.0 + self._seq % 7, 1.0, 99.9, 107.1, 5.0, 5.0, self._seq]
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


def cell_spec(engine: Engine, identity: str, code: Path) -> CellSpec:
    """Grant a cell what the benchmarks' engine announced."""
    return CellSpec(
        deployment_id=identity,
        generation=1,
        strategy="bench",
        version="1",
        code_path=str(code),
        account_id="bench",
        trading_mode="paper",
        symbols=["X"],
        timeframes=["1s", "5s", "15s", "1m", "5m", "1h"],
        parameters={},
        market_endpoint=engine.ready.market_endpoint,
        report_endpoint=engine.ready.report_endpoint,
        token="bench",  # noqa: S106 - no secret
        limits=Limits(signals_per_s=1_000_000),
    )


def start_cell(nursery: Nursery, granted: CellSpec) -> CellHandle:
    """Start one cell and wait until it is ready."""
    handle = nursery.spawn(granted)
    while True:
        select.select([nursery.fileno(), handle.fileno()], [], [], 10)
        nursery.read()
        for report in handle.receive():
            if isinstance(report, Died):
                sys.exit(f"the cell died: {report}")
            if isinstance(report, Ready):
                return handle


def pace(count: int):  # noqa: ANN201 - an iterator of ints
    """Yield numbers at ``RATE`` a second."""
    began = time.perf_counter()
    for number in range(count):
        wait = began + number / RATE - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        yield number


def percentile(ages: list[int], which: int) -> float:
    """Return a percentile in seconds."""
    return quantiles(ages, n=100)[which - 1] / 1e9


def main() -> None:
    """Print both ratios."""
    options = arguments(__doc__ or "", rounds=7)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        yardstick, whole = Bare(Path(one)), Whole(Path(two))
        try:
            tails: dict[str, list[float]] = {"bare p99": [], "stratd p99": []}

            def case(name: str, system: Bare | Whole) -> float:
                ages = system.burst(TICKS + WARM)[WARM:]
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
    print(ratio_line("round trip tick to signal, median", values["stratd"], values["bare"], "<= 1.70x"))
    print(ratio_line("round trip tick to signal, p99", tails["stratd p99"], tails["bare p99"], "<= 2.50x"))
    print(f"verdicts of the last burst: {whole.verdicts}")
    keep(options.output, values | tails, "second")


if __name__ == "__main__":
    main()
