"""Ticks a second through the engine (validation, candles, batching) over a bare pyzmq forwarding loop.

    python benchmarks/throughput.py [--quick]

Both have one publisher that sends one tick a message as fast as it can, one process in the middle, and 1
or 10 subscribers that count; the time runs from the first send to the last arrival at the last subscriber.
Every tick must arrive.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import msgspec
import zmq

import bare
from engine import Engine, attach
from ratios import arguments, interleave, ratio, report

SYMBOL = "EURUSD"
TIMEFRAMES = ["1s", "5s", "15s", "1m", "5m", "1h"]
PATIENCE_MS = 60_000
HERE = Path(__file__).parent
COUNTS = {1: 200_000, 10: 100_000}
"""Ticks sent, by subscribers."""


def ticks(count: int) -> list[bytes]:
    """Encode ``count`` native ticks, a millisecond apart, ending now; the last one is marked."""
    start = time.time_ns() - count * 1_000_000
    payloads = [
        msgspec.msgpack.encode(
            [SYMBOL, start + n * 1_000_000, 1.085 + (n % 97) * 1e-5, 1000.0, 1.085, 1.087, 1e5, 1e5, n + 1]
        )
        for n in range(count)
    ]
    end = [SYMBOL, start + count * 1_000_000, 1.085, 1.0, 1.085, 1.087, 1e5, 1e5, count + 1, "end"]
    return [*payloads, msgspec.msgpack.encode(end)]


def publish(socket: zmq.Socket[bytes], payloads: list[bytes], end: bytes | None) -> int:
    """Send everything; return when the first left."""
    topic, send = f"tick.{SYMBOL}".encode(), socket.send_multipart
    began = time.monotonic_ns()
    for payload in payloads:
        send((topic, payload))
    if end is not None:
        send((topic, end))
    return began


def collect(back: zmq.Socket[bytes], subscribers: int, expected: int) -> int:
    """Wait for every counter; return when the last one was done. Exits if a tick was lost."""
    last = 0
    for _ in range(subscribers):
        if not back.poll(PATIENCE_MS):
            sys.exit(f"the end was not counted within {PATIENCE_MS / 1000:g} s")
        count, at = back.recv().split()
        if int(count) != expected:
            sys.exit(f"{expected - int(count)} of {expected} ticks were lost")
        last = max(last, int(at))
    return last


def bare_rate(subscribers: int, count: int) -> float:
    """Ticks a second through the bare loop."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, back = bare.socket(zmq.PUB), bare.socket(zmq.PULL)
        source.bind(f"ipc://{folder}/in")
        back.bind(f"ipc://{folder}/back")
        started = [bare.start("hub", folder), *(bare.start("counter", folder) for _ in range(subscribers))]
        try:
            for _ in range(subscribers):
                back.recv()
            settle(source, back, subscribers)
            payloads = ticks(count)[:-1]
            began = publish(source, payloads, b"end")
            return count / ((collect(back, subscribers, count) - began) / 1e9)
        finally:
            end(started)
            source.close()
            back.close()


def settle(source: zmq.Socket[bytes], back: zmq.Socket[bytes], subscribers: int) -> None:
    """Send end marks until every counter has seen one: then every subscription is there."""
    seen = 0
    while seen < subscribers:
        source.send_multipart((b"x", b"end"))
        seen = 0
        while back.poll(100):
            back.recv()
            seen += 1


def engine_rate(subscribers: int, count: int) -> float:
    """Ticks a second through the engine."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, back = bare.socket(zmq.XPUB), bare.socket(zmq.PULL)
        source.bind(f"ipc://{folder}/in")
        back.bind(f"ipc://{folder}/back")
        engine = Engine(folder)
        started = []
        try:
            engine.feed(f"ipc://{folder}/in")
            source.recv()
            for number in range(subscribers):
                engine.tell(attach(f"c{number}", [SYMBOL], TIMEFRAMES))
                endpoints = engine.ready.market_endpoint, engine.ready.report_endpoint
                command = [
                    sys.executable,
                    HERE / "engine.py",
                    os.getpid(),
                    folder,
                    f"c{number}",
                    SYMBOL,
                    *endpoints,
                ]
                started.append(subprocess.Popen(list(map(str, command))))
            for _ in range(subscribers):
                back.recv()
            payloads = ticks(count)
            began = publish(source, payloads, None)
            return count / ((collect(back, subscribers, count) - began) / 1e9)
        finally:
            engine.stop()
            end(started)
            source.close()
            back.close()


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill what was started here."""
    for process in processes:
        process.kill()
        process.wait()


def main() -> None:
    """Print both ratios."""
    options = arguments(__doc__ or "", rounds=5, quick=2)
    cases = {}
    for subscribers, count in COUNTS.items():
        cases[f"bare, {subscribers} sub"] = partial(bare_rate, subscribers, count)
        cases[f"engine, {subscribers} sub"] = partial(engine_rate, subscribers, count)
    values = interleave(cases, options.rounds)
    report(
        options,
        [
            ratio(
                f"engine / bare loop, {subscribers} subscriber{'s' * (subscribers > 1)}, ticks/s",
                values[f"engine, {subscribers} sub"],
                values[f"bare, {subscribers} sub"],
                wanted,
            )
            for subscribers, wanted in ((1, ">= 0.6"), (10, ">= 1"))
        ],
        values,
        "integer",
    )


if __name__ == "__main__":
    main()
