"""The publisher of one recording, a process of its own, as an external one would be.

    python -m tests.chaos.publisher FILE ENDPOINT --rate 40 [--mode bind] [--first N] [--progress FILE] ...

Ticks leave at a fixed rate whatever their event times, a heartbeat every second. After the last tick it
stays, with heartbeats, until it is killed. How far it came stands in a file that outlives it, so that the
one after it goes on there; what its queue still held is lost with it, as with any publisher that dies. It
serves what was published before to whoever missed it, as ``stratd feed replay`` does.
"""

from __future__ import annotations

import argparse
import mmap
import os
import time
from pathlib import Path
from typing import Self

import msgspec

from bus.messages import Heartbeat, Tick, encode
from bus.serving import open_serving
from bus.sockets import Publisher
from sandbox.confine.process import die_with_parent
from tests.chaos import market
from tests.waiting import until_due

PATIENCE = 60.0
"""Seconds that the first subscriber may take."""
BEAT_EVERY = 1.0
_tick = msgspec.msgpack.Decoder(Tick).decode


class Progress:
    """How many ticks were sent, in a file of eight bytes: shared memory, so that no kill can lose it."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, 8)
        self._memory = mmap.mmap(descriptor, 8)
        os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()

    @property
    def sent(self) -> int:
        return int.from_bytes(self._memory[:8], "little")

    @sent.setter
    def sent(self, number: int) -> None:
        self._memory[:8] = number.to_bytes(8, "little")


class Sending:
    """A publisher and what it serves beside it."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._publisher = Publisher(options.endpoint, options.mode)
        self._serving = open_serving(options.endpoint, options.mode, options.recovery)
        self._last: Tick | None = None

    def wait_for_subscriber(self) -> bool:
        return self._publisher.wait_for_subscriber(PATIENCE)

    def keep(self, topic: bytes, payload: bytes) -> None:
        """Have a message to give to whoever missed it."""
        self._last = _tick(payload)
        if self._serving is not None:
            self._serving.keep(topic, payload, self._last.symbol, self._last.seq)

    def send(self, topic: bytes, payload: bytes) -> None:
        self.keep(topic, payload)
        self._publisher.send(topic, payload)

    def beat(self) -> None:
        """Send a heartbeat with the time and the number of the last tick: it closes no candle by itself."""
        if self._last is not None:
            where = "" if self._serving is None else self._serving.endpoint
            last = {self._last.symbol: self._last.seq or 0}
            self._publisher.send(b"hb", encode(Heartbeat(self._last.ts, last, where)))

    def wait(self, until: float) -> None:
        """Answer questions until monotonic second ``until``."""
        if self._serving is None:
            until_due(until)
        else:
            self._serving.serve(until - time.monotonic())


def publish(options: argparse.Namespace) -> None:
    messages = market.read(options.file)
    until = options.until if options.until is not None else len(messages)
    sending = Sending(options)
    with Progress(options.progress) as progress:
        first = progress.sent if options.first is None else options.first
        for place in range(first):
            sending.keep(*messages[place])
        if first == 0:
            assert sending.wait_for_subscriber(), f"nobody subscribed to {options.endpoint}"
        due = beat_at = time.monotonic()
        for place in range(first, until):
            # Noted first: one that is killed in between has lost this tick, and never sends it twice.
            progress.sent = place + 1
            sending.send(*messages[place])
            # One that was stopped goes on at its pace, and does not make up for the time.
            due = max(due + 1 / options.rate, time.monotonic() - 1 / options.rate)
            if time.monotonic() >= beat_at:
                beat_at = time.monotonic() + BEAT_EVERY
                sending.beat()
            sending.wait(due)
        while not options.leave:
            sending.beat()
            sending.wait(time.monotonic() + BEAT_EVERY)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.publisher", description=__doc__)
    parser.add_argument("file", type=Path, help="of market.write")
    parser.add_argument("endpoint")
    parser.add_argument("--mode", choices=["bind", "connect"], default="bind")
    parser.add_argument("--rate", type=float, required=True, help="ticks a second")
    parser.add_argument("--progress", type=Path, required=True)
    parser.add_argument("--first", type=int, help="place of its first tick (where the progress says)")
    parser.add_argument("--until", type=int, help="place after its last tick (the end)")
    parser.add_argument("--recovery", default="auto", help="where to serve what was missed, or off")
    parser.add_argument("--leave", action="store_true", help="do not stay after the last tick")
    parser.add_argument("--parent", type=int, required=True, help="pid with which it ends")
    options = parser.parse_args()
    die_with_parent(options.parent)
    publish(options)


if __name__ == "__main__":
    main()
