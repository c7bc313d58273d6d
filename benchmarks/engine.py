"""The real engine process, and counters that stand for its cells."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import zmq

from bare import socket as bare_socket
from bus import topics
from bus.messages import CellCommand, Hello, Running, Ticks, Welcome, encode
from bus.sockets import CellLink, split
from sandbox.confine.process import die_with_parent
from supervisor.control import Attach, Configure, EngineNews, EngineOrder, EngineReady, FeedSpec, ShutDown

_decode_news = msgspec.msgpack.Decoder(EngineNews).decode
DATAGRAM = 2**20


class Engine:
    """``python -m supervisor.engine``, held as the daemon holds it. ``module`` may be another entry."""

    def __init__(self, folder: Path, command: list[str] | None = None) -> None:
        for name in ("run", "state"):
            (folder / name).mkdir(exist_ok=True)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(command or [sys.executable, "-B", "-P", "-m", "supervisor.engine"]),
                    *("--runtime", str(folder / "run"), "--state", str(folder / "state")),
                    *("--control-fd", str(theirs.fileno()), "--parent", str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
            )
        self._control.settimeout(10)
        while not isinstance(ready := self.hear(), EngineReady):
            pass
        self.ready = ready

    def hear(self) -> EngineNews:
        """Return the next word of the engine."""
        return _decode_news(self._control.recv(DATAGRAM))

    def tell(self, order: EngineOrder) -> None:
        """Send one order."""
        self._control.send(msgspec.msgpack.encode(order))

    def feed(self, endpoint: str) -> None:
        """Read one native feed."""
        self.tell(Configure([FeedSpec(name="bench", endpoint=endpoint)]))

    def stop(self) -> None:
        """Let it end in order. Its statistics are read to the end, or it could not."""
        with contextlib.suppress(ConnectionError):  # dead already: it said why on stderr
            self.tell(ShutDown(1.0))
            while self._control.recv(DATAGRAM):
                pass
        self.process.wait(10)
        self._control.close()


def attach(identity: str, symbols: list[str], timeframes: list[str]) -> Attach:
    """Announce an instance with a known token."""
    return Attach(
        deployment_id=identity,
        generation=1,
        token="bench",  # noqa: S106 - no secret
        strategy="bench",
        version="1",
        code_hash="",
        account_id="bench",
        trading_mode="paper",
        symbols=symbols,
        timeframes=timeframes,
        warmup=0,
        signals_per_s=1_000_000,
    )


def counter(folder: Path, identity: str, symbol: str, market: str, reports: str) -> None:
    """Play a cell that only counts ticks; says so at the tick whose trade id is ``end``."""
    link = CellLink(market, reports, f"{identity}:1", "bench", [topics.tick(symbol), topics.cell(identity)])
    decode = msgspec.msgpack.Decoder(Ticks).decode
    decode_command = msgspec.msgpack.Decoder(CellCommand).decode
    sink = bare_socket(zmq.PUSH)
    sink.connect(f"ipc://{folder}/back")
    cell = topics.cell(identity)
    while True:
        link.send(encode(Hello()))
        if any(t == cell and isinstance(decode_command(p).body, Welcome) for t, p in link.receive(0.05)):
            break
    link.send(encode(Running()))
    sink.send(b"up")
    count, prefix = 0, topics.tick(symbol)
    market_socket = link._market  # noqa: SLF001 - the loop of a warden without its hand-over
    market_socket.setsockopt(zmq.RCVTIMEO, -1)
    receive = market_socket.recv
    while True:
        frame = receive()
        if not frame.startswith(prefix):
            continue
        ticks = decode(split(frame)[1]).ticks
        count += len(ticks)
        if ticks[-1].trade_id == "end":
            sink.send(b"%d %d" % (count - 1, time.monotonic_ns()))
            count = 0


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    counter(Path(sys.argv[2]), *sys.argv[3:7])
