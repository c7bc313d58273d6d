"""A real engine process with everything around it played by the test: supervisor, publisher, cells."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bus import topics
from bus.messages import (
    Acked,
    Beat,
    Candles,
    CellCommand,
    CellReport,
    CellStats,
    CommandBody,
    FeedStatus,
    Filled,
    Hello,
    Missed,
    Pulse,
    Replayed,
    Running,
    Signal,
    SignalAck,
    Signals,
    Tick,
    Ticks,
    Welcome,
    encode,
)
from bus.sockets import CellLink, Publisher
from supervisor.control import (
    Attach,
    Configure,
    DeploymentRow,
    EngineEvent,
    EngineNews,
    EngineOrder,
    EngineReady,
    EngineStats,
    FeedSpec,
    ShutDown,
)
from tests.waiting import wait_until

T = TypeVar("T")
_decode_news = msgspec.msgpack.Decoder(EngineNews).decode
_decode_order = msgspec.msgpack.Encoder().encode


class EngineProcess:
    """Starts ``python -m supervisor.engine`` as the daemon does and keeps what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("run", "state"):
            (folder / name).mkdir(exist_ok=True)
        self.news: list[EngineNews] = []
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.setblocking(False)
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-B", "-I", "-m", "supervisor.engine"),
                    *("--runtime", str(folder / "run"), "--state", str(folder / "state")),
                    *("--control-fd", str(theirs.fileno()), "--parent", str(os.getpid())),
                ],
                pass_fds=[theirs.fileno()],
                stderr=subprocess.PIPE,
            )
        self.ready: EngineReady = self.wait_news(EngineReady)

    def tell(self, order: EngineOrder) -> None:
        self.control.send(_decode_order(order))

    def listen(self) -> list[EngineNews]:
        while True:
            try:
                datagram = self.control.recv(2**20)
            except (BlockingIOError, ConnectionResetError):
                return self.news
            if not datagram:
                return self.news
            self.news.append(_decode_news(datagram))

    def wait_news(self, kind: type[T], like: Callable[[T], object] = lambda _: True) -> T:
        """Return the last word of ``kind`` for which ``like`` holds, waiting for one if need be."""

        def found() -> T | None:
            matching = [n for n in self.listen() if isinstance(n, kind) and like(n)]
            return matching[-1] if matching else None

        return wait_until(found, what=f"{kind.__name__} from the engine")  # type: ignore[return-value]

    def events(self, kind: str) -> list[EngineEvent]:
        return [n for n in self.listen() if isinstance(n, EngineEvent) and n.kind == kind]

    def wait_row(self, deployment_id: str, like: Callable[[DeploymentRow], object]) -> DeploymentRow:
        def rows(stats: EngineStats) -> list[DeploymentRow]:
            return [r for r in stats.deployments if r.deployment_id == deployment_id and like(r)]

        return rows(self.wait_news(EngineStats, rows))[0]

    def feed(self, name: str = "main", **settings: Any) -> Publisher:
        """Configure one feed on an ipc endpoint of its own; return its publisher once it is heard."""
        endpoint = f"ipc://{self.folder}/feed-{name}"
        publisher = Publisher(endpoint)
        self.tell(Configure([FeedSpec(name=name, endpoint=endpoint, **settings)]))
        assert publisher.wait_for_subscriber(60)
        return publisher

    def attach(self, deployment_id: str = "one", generation: int = 1, **given: Any) -> FakeCell:
        """Announce an instance, as the daemon does before a birth, and play it."""
        attach = Attach(
            deployment_id=deployment_id,
            generation=generation,
            token=f"token-{generation}",
            strategy=given.get("strategy", "test"),
            version="1.0.0",
            code_hash="0" * 64,
            account_id=given.get("account_id", "acc"),
            trading_mode="paper",
            symbols=given.get("symbols", ["X"]),
            timeframes=given.get("timeframes", ["1s"]),
            warmup=given.get("warmup", 10),
            risk=given.get("risk", {}),
            signals_per_s=given.get("signals_per_s", 1000),
            begun=given.get("begun", 0),
        )
        self.tell(attach)
        return FakeCell(self, attach)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.tell(ShutDown(1.0))
        return self.end()

    def end(self) -> int:
        self.listen()
        code = self.process.wait(60)
        assert self.process.stderr is not None
        self.stderr = self.process.stderr.read().decode()
        self.process.stderr.close()
        self.control.close()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.end()


def decode_frame(frame: bytes) -> tuple[bytes, Any]:
    """Return topic and message."""
    topic = topics.of(frame)
    kind: Any = _KINDS[topic.partition(b"|")[0]]
    return topic, msgspec.msgpack.decode(frame.removeprefix(topic), type=kind)


_KINDS = {b"tick": Ticks, b"candle": Candles, b"pulse": Pulse, b"to": CellCommand, b"feed": FeedStatus}


class FakeCell:
    """Plays the warden of one instance: everything that it hears is kept, decoded, in order."""

    def __init__(self, engine: EngineProcess, attach: Attach, token: str | None = None) -> None:
        self.attach = attach
        self.heard: list[Any] = []
        self.link = CellLink(
            engine.ready.market_endpoint,
            engine.ready.report_endpoint,
            f"{attach.deployment_id}:{attach.generation}",
            attach.token if token is None else token,
            [
                topics.PULSE,
                *(topics.tick(s) for s in attach.symbols),
                *(topics.candle(s) for s in attach.symbols),
                topics.cell(attach.deployment_id),
            ],
        )

    def listen(self) -> list[Any]:
        for topic, payload in self.link.receive(0.001):
            _, message = decode_frame(topic + payload)
            self.heard.append(message.body if isinstance(message, CellCommand) else message)
        return self.heard

    def say(self, report: CellReport) -> None:
        wait_until(lambda: self.link.send(encode(report)), what="room in the report pipe")

    def wait_heard(self, kind: type[T], like: Callable[[T], object] = lambda _: True) -> T:
        return wait_until(  # type: ignore[return-value]
            lambda: next((m for m in reversed(self.listen()) if isinstance(m, kind) and like(m)), None),
            what=f"{kind.__name__} at the cell",
        )

    def run(self, tape: int = 0) -> Welcome:
        """Say hello until welcome, then that it runs; ``tape`` as a living cell says it."""

        said_at = 0.0

        def welcomed() -> Welcome | None:
            # Not at every look: of thousands of symbols each welcome is large, and each has to be read.
            nonlocal said_at
            if time.monotonic() - said_at > 0.2:
                self.say(Hello(tape))
                said_at = time.monotonic()
            return next((m for m in self.listen() if isinstance(m, Welcome)), None)

        welcome: Welcome = wait_until(welcomed, what="the welcome")  # type: ignore[assignment]
        self.say(Running(welcome.position))
        return welcome

    def beat(self, **stats: int) -> None:
        self.say(Beat(CellStats(**stats)))

    def ask(self, **signal: Any) -> SignalAck:
        """Send one signal and return its verdict."""
        number = 1 + sum(isinstance(m, Acked) for m in self.heard)
        given: dict[str, Any] = {
            "symbol": "X",
            "intent": "enter_long",
            "quantity": 1.0,
            "reason": "test",
            "reference_price": 100.0,
        }
        self.say(Signals([Signal(**(given | {"number": number} | signal))]))
        return self.wait_heard(Acked, lambda a: a.ack.number == signal.get("number", number)).ack

    def wait_filled(self, count: int = 1) -> list[Filled]:
        return wait_until(
            lambda: (
                fills if len(fills := [m for m in self.listen() if isinstance(m, Filled)]) >= count else None
            ),
            what=f"{count} fills",
        )  # type: ignore[return-value]

    def missed(self, at: int = 0) -> tuple[list[tuple[bytes, Any]], int]:
        """Ask for what was published from ``at`` on until there is no more; (topic, message) and where."""
        found: list[tuple[bytes, Any]] = []
        while True:
            before = sum(isinstance(m, Replayed) for m in self.heard)
            self.say(Missed(at))
            wait_until(
                lambda: sum(isinstance(m, Replayed) for m in self.listen()) > before,  # noqa: B023
                what="what was missed",
            )
            answer = [m for m in self.heard if isinstance(m, Replayed)][-1]
            found += [decode_frame(frame) for frame in answer.frames]
            if answer.done:
                return found, answer.at
            at = answer.at

    def ticks(self) -> list[Tick]:
        return [tick for message in self.listen() if isinstance(message, Ticks) for tick in message.ticks]

    def commands(self) -> list[CommandBody]:
        return [m for m in self.listen() if not isinstance(m, (Ticks, Candles, Pulse))]

    def close(self) -> None:
        self.link.close()


def send_tick(publisher: Publisher, symbol: str, ts: int, price: float, seq: int | None = None) -> None:
    """Publish one native tick with a spread of two hundredths."""
    payload = [symbol, ts, price, 1.0, price - 0.01, price + 0.01, 5.0, 5.0, seq]
    publisher.send(f"tick.{symbol}".encode(), msgspec.msgpack.encode(payload))
