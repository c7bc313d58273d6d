"""The API under load while ticks flow: what a request takes, and what the load does to the ticks.

    python benchmarks/api.py [--quick]

The whole of ``stratd serve`` with 100 deployments, 5,000 ticks a second to one of them, which answers each
50th with a signal. A tick's latency is from its publication to that signal on the outward socket, so it goes
through feed, engine, cell, gate and journal. In turns, in one run: ticks alone; with 200 requests a second
of ``GET /api/v1/strategies`` from a process of its own; and with 1,000 connections besides, on the Unix
socket and on TCP each, that say nothing.
Requests are due at fixed times and measured from then on, so that a slow answer hides no other.
"""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import quantiles

import msgspec
import zmq

from bus.sockets import Publisher
from cli.client import Client
from idle import CELLS, daemon, start
from ratios import amount, arguments, interleave, ratio, report
from supervisor.client.calls import daemon as calls
from supervisor.client.calls import running

RATE = 5000
EVERY = 50
REQUESTS = 200
CONNECTIONS = 8
HUNG = 1000
PROBE = f"""
from strategies import IStrategy, Signal


class Probe(IStrategy):
    def initialize(self, config):
        pass

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        tick = data.tick
        if tick.seq % {EVERY}:
            return None
        if tick.seq % {2 * EVERY}:
            return Signal(symbol=tick.symbol, intent="enter_long", quantity=1, reason="tick")
        return Signal(symbol=tick.symbol, intent="exit_long", reason="tick")
"""


# ---- the load, a process of its own ----------------------------------------------------------------
class Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("stratd", timeout=60)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def load(path: str, seconds: float) -> None:
    """Ask ``REQUESTS`` times a second over some connections; print what each took, in seconds."""
    began = time.perf_counter() + 0.2
    count = int(REQUESTS * seconds)
    took: list[float] = []

    def ask(first: int) -> None:
        connection = Local(path)
        for number in range(first, count, CONNECTIONS):
            due = began + number / REQUESTS
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("GET", "/api/v1/strategies")
            answer = connection.getresponse()
            if answer.status != 200 or not answer.read():
                raise SystemExit(f"answered {answer.status}")
            took.append(time.perf_counter() - due)
        connection.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(took))


# ---- the market ------------------------------------------------------------------------------------
class Ticks:
    """Publishes at the rate, from a thread, until closed."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="ticks")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _publish(self) -> None:
        encode = msgspec.msgpack.encode
        with Publisher(self._endpoint) as publisher:
            publisher.wait_for_subscriber(60)
            began, seq = time.perf_counter(), 0
            while not self._done.is_set():
                while seq < (time.perf_counter() - began) * RATE:
                    seq += 1
                    tick = ["P", time.time_ns(), 100.0 + seq % 7 / 10, 1.0, None, None, None, None, seq]
                    publisher.send(b"tick.P", encode(tick))
                self._done.wait(0.001)


def latencies(signals: zmq.Socket[bytes], seconds: float) -> list[float]:
    """Return the ages of the ticks behind the signals that come within so many seconds."""
    while signals.poll(0):  # what came while nobody looked is old by our doing
        signals.recv_multipart()
    found, ends = [], time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        if signals.poll(left * 1000):
            payload = signals.recv_multipart()[-1]
            found.append((time.time_ns() - msgspec.msgpack.decode(payload)["data_as_of"]) / 1e9)
    if len(found) < RATE / EVERY * seconds / 2:
        sys.exit(
            f"only {len(found)} signals came in {seconds:g} s: this machine is too busy for {RATE} ticks/s"
        )
    return found


@contextmanager
def hung(path: Path, port: int) -> Iterator[None]:
    """Hold ``HUNG`` connections open on either listener that say nothing."""
    with ExitStack() as stack:
        for _ in range(HUNG):
            one = stack.enter_context(socket.socket(socket.AF_UNIX))
            one.connect(str(path))
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        yield


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def p99(values: list[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(values, n=100)[98]


class Bench:
    """A daemon, its market, and what was measured."""

    def __init__(self, api: Path, port: int, signals: zmq.Socket[bytes], seconds: float) -> None:
        self._api, self._port, self._signals, self._seconds = api, port, signals, seconds
        self.requests: dict[str, list[float]] = {"asked": [], "hung": []}

    def alone(self) -> float:
        """Return the p99 of ticks alone."""
        return p99(latencies(self._signals, self._seconds))

    def asked(self, name: str = "asked") -> float:
        """Return the p99 of ticks while the API is asked."""
        command = [sys.executable, __file__, "--load", str(self._api), str(self._seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            found = p99(latencies(self._signals, self._seconds))
            out, _ = process.communicate()
        if process.returncode:
            sys.exit("the load failed")
        self.requests[name].append(p99(json.loads(out)) * 1e3)
        return found

    def with_hung(self) -> float:
        """Return the p99 of ticks while the API is asked, and very many others hang on it."""
        with hung(self._api, self._port):
            return self.asked("hung")


def prepare(folder: Path) -> None:
    """Write the strategy that answers."""
    strategy = folder / "strategies" / "probe"
    strategy.mkdir(parents=True)
    (strategy / "strategy.py").write_text(PROBE)
    config = {"name": "probe", "version": "1.0.0", "timeframes": ["1m"], "symbols": ["P"]}
    (strategy / "config.json").write_text(json.dumps(config))


def until_flowing(signals: zmq.Socket[bytes], client: Client) -> None:
    """Start the one that answers, and wait for its first signals."""
    client.call(running.start, "probe", strategy="probe", account="probe")
    for _ in range(RATE // EVERY):
        if not signals.poll(60_000):
            sys.exit("no signal came")
        signals.recv_multipart()


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__ or "", rounds=5, quick=2)
    seconds = 4.0 if options.quick else 15.0
    with tempfile.TemporaryDirectory(prefix="stratd-") as name, zmq.Context() as context:
        folder = Path(name)
        prepare(folder)
        port = free_port()
        with daemon(folder, port) as (_, client), Ticks(f"ipc://{folder}/feed"):
            start(client, CELLS - 1)
            with context.socket(zmq.SUB) as signals:
                signals.connect(json.loads(client.call(calls.status))["signals_endpoint"])
                signals.subscribe(b"")
                until_flowing(signals, client)
                bench = Bench(folder / "run" / "api.sock", port, signals, seconds)
                values = interleave(
                    {"alone": bench.alone, "asked": bench.asked, "hung": bench.with_hung}, options.rounds
                )
    asked = f"GET /strategies, {CELLS} deployments, {REQUESTS}/s, p99"
    report(
        options,
        [
            amount(asked, bench.requests["asked"], "ms", "< 25"),
            amount(f"  with {HUNG} hung connections on each", bench.requests["hung"], "ms", "< 25"),
            ratio(
                f"tick to signal p99 at {RATE}/s, with requests / without",
                values["asked"],
                values["alone"],
                "<= 1.3",
            ),
            ratio("  with hung connections too / without", values["hung"], values["alone"], "<= 1.3"),
            amount("  tick to signal p99, without", [one * 1e3 for one in values["alone"]], "ms"),
        ],
        values,
        "second",
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(sys.argv[2], float(sys.argv[3]))
    else:
        main()
