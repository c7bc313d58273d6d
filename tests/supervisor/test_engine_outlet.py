"""The engine's way out, on real sockets: where it is bound, who may read it, and what if it is not."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from bus.messages import Resume
from bus.sockets import Publisher
from supervisor.control import Configure, Direct, EngineEvent, EngineStats, FeedSpec, SignalsSpec
from tests.ports import HOST, free_port
from tests.supervisor.engine_harness import EngineProcess, FakeCell, send_tick
from tests.waiting import wait_until

pytestmark = pytest.mark.system

PUBLIC, SECRET = zmq.curve_keypair()
REFUSALS = (
    zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_AUTH
    | zmq.Event.DISCONNECTED
)


class Market:
    """A feed, a cell that trades, and the configuration of both without the way out."""

    def __init__(self, engine: EngineProcess) -> None:
        self.engine = engine
        self._publisher: Publisher = engine.feed()
        self._cell: FakeCell = engine.attach()
        self._cell.run()
        self._now = time.time_ns()
        self._asked = 0
        send_tick(self._publisher, "X", self._now, 100.0, seq=1)
        wait_until(self._cell.ticks, what="the first tick")

    def configure(self, **signals: str) -> None:
        """Give the engine its configuration with another way out, and wait until it was taken."""
        feed = FeedSpec(name="main", endpoint=f"ipc://{self.engine.folder}/feed-main")
        self.engine.tell(Configure([feed], signals=SignalsSpec(**signals)))
        # The channel keeps the order: once the cell hears this, the configuration was carried out.
        self._cell.heard.clear()
        self.engine.tell(Direct("one", 1, "resume", ""))
        self._cell.wait_heard(Resume)

    def signal(self) -> str:
        """Have one signal accepted; return its id."""
        self._asked += 1
        ack = self._cell.ask(number=self._asked, data_as_of=self._now, data_key=self._asked)
        assert ack.decision == "accepted"
        return ack.signal_id

    def close(self) -> None:
        self._publisher.close()
        self._cell.close()


@pytest.fixture
def market(engine: EngineProcess) -> Iterator[Market]:
    made = Market(engine)
    yield made
    made.close()


class Consumer:
    """SUB and REQ, as a service that reads the signals has them; ``key`` is the server's public one."""

    def __init__(self, context: zmq.Context[Any], endpoint: str, replay: str, key: bytes) -> None:
        self._monitors: list[Any] = []
        self.sub = self._connected(context, zmq.SUB, endpoint, key)
        self.req = self._connected(context, zmq.REQ, replay, key) if replay else None

    def _connected(self, context: zmq.Context[Any], kind: int, endpoint: str, key: bytes) -> Any:
        made = context.socket(kind)
        if kind == zmq.SUB:
            made.subscribe(b"signal.")
        if key:
            made.curve_publickey, made.curve_secretkey = zmq.curve_keypair()
            made.curve_serverkey = key
        self._monitors.append(made.get_monitor_socket(REFUSALS))
        made.connect(endpoint)
        return made

    def read(self, market: Market) -> tuple[bytes, dict[str, Any]]:
        """Let signals be accepted until the first is heard: a subscription takes a moment to arrive."""
        sent: list[str] = []

        def heard() -> bool:
            sent.append(market.signal())
            return bool(self.sub.poll(100))

        wait_until(heard, what="a signal at the consumer")
        topic, payload = self.sub.recv_multipart()
        signal = msgspec.msgpack.decode(payload)
        assert signal["signal_id"] in sent
        return topic, signal

    def missed(self) -> list[str]:
        assert self.req is not None
        self.req.send(msgspec.msgpack.encode([0]))
        assert self.req.poll(10_000)
        return [signal["signal_id"] for signal in msgspec.msgpack.decode(self.req.recv())]

    def close(self) -> None:
        for made in (self.sub, self.req):
            if made is not None:
                made.disable_monitor()
                made.close(0)
        for monitor in self._monitors:
            monitor.close(0)

    def was_refused(self) -> bool:
        """Whether any of its connections ended, or never began to be one."""
        return any(monitor.poll(0) for monitor in self._monitors)


@pytest.fixture
def consume() -> Iterator[Callable[..., Consumer]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    made: list[Consumer] = []

    def start(endpoint: str, replay: str = "", key: bytes = b"") -> Consumer:
        made.append(Consumer(context, endpoint, replay, key))
        return made[-1]

    yield start
    for consumer in made:
        consumer.close()
    context.term()


def bound(engine: EngineProcess, endpoint: str, replay: str) -> None:
    engine.wait_news(EngineStats, lambda s: (s.signals_endpoint, s.replay_endpoint) == (endpoint, replay))


def test_without_a_word_both_are_in_the_runtime_directory(engine, market, consume):
    run = f"ipc://{engine.folder}/run"
    bound(engine, f"{run}/signals.out", f"{run}/signals.replay")
    consumer = consume(f"{run}/signals.out", f"{run}/signals.replay")
    topic, signal = consumer.read(market)
    assert (topic, signal["deployment_id"]) == (b"signal.one", "one")
    assert signal["signal_id"] in consumer.missed()


def test_before_the_configuration_nothing_is_bound(engine):
    stats = engine.wait_news(EngineStats)
    assert (stats.signals_endpoint, stats.replay_endpoint) == ("", "")
    assert not (engine.folder / "run" / "signals.out").exists()


def test_with_a_key_only_who_has_its_public_half_reads(engine, market, consume):
    out, replay = (f"tcp://{HOST}:{free_port()}" for _ in range(2))
    market.configure(endpoint=out, replay_endpoint=replay, curve_secret_key=SECRET.decode())
    bound(engine, out, replay)
    other, _ = zmq.curve_keypair()
    strangers = [consume(out, replay, other), consume(out, replay)]
    for stranger in strangers:
        with contextlib.suppress(zmq.Again):  # no way to a server that refused it already
            stranger.req.send(msgspec.msgpack.encode([0]), zmq.NOBLOCK)
        wait_until(stranger.was_refused, what="a refused handshake")
    consumer = consume(out, replay, PUBLIC)
    _, signal = consumer.read(market)
    assert signal["signal_id"] in consumer.missed()
    for stranger in strangers:
        assert (stranger.sub.poll(0), stranger.req.poll(0)) == (0, 0)


def test_the_key_is_neither_on_the_command_line_nor_in_the_environment(engine, market):
    market.configure(curve_secret_key=SECRET.decode())
    for name in ("cmdline", "environ"):
        assert SECRET not in Path(f"/proc/{engine.process.pid}/{name}").read_bytes()


def test_the_same_again_leaves_consumers_connected(engine, market, consume):
    out = f"tcp://{HOST}:{free_port()}"
    market.configure(endpoint=out)
    consumer = consume(out)
    consumer.read(market)
    market.configure(endpoint=out)
    consumer.read(market)
    assert not consumer.was_refused()


@pytest.mark.parametrize("place", ["tcp", "ipc"])
def test_another_key_takes_the_place_of_the_old_one_on_the_same_endpoint(engine, market, consume, place):
    out = f"tcp://{HOST}:{free_port()}" if place == "tcp" else f"ipc://{engine.folder}/out"
    replay = f"ipc://{engine.folder}/run/signals.replay"
    for public, secret in [(b"", b""), (PUBLIC, SECRET), zmq.curve_keypair()]:
        market.configure(endpoint=out, curve_secret_key=secret.decode())
        consumer = consume(out, replay, public)
        consumer.read(market)
        assert consumer.missed()
    assert engine.events("signals_failed") == []


def test_a_place_that_is_left_is_free(engine, market):
    port = free_port()
    market.configure(endpoint=f"tcp://{HOST}:{port}")
    socket.create_connection((HOST, port)).close()
    market.configure(endpoint=f"ipc://{engine.folder}/second")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))
    bound(engine, f"ipc://{engine.folder}/second", f"ipc://{engine.folder}/run/signals.replay")


def test_an_endpoint_in_use_is_told_and_trading_goes_on_until_it_is_free(engine, market, consume):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        out = f"tcp://{HOST}:{taken.getsockname()[1]}"
        replay = f"ipc://{engine.folder}/run/signals.replay"
        market.configure(endpoint=out)
        event = engine.wait_news(EngineEvent, lambda e: e.kind == "signals_failed")
        assert event.detail == f"accepted signals do not leave: cannot bind {out}: Address already in use"
        bound(engine, "", replay)
        unsent = market.signal()
    engine.wait_news(EngineEvent, lambda e: e.kind == "signals_bound" and out in e.detail)
    bound(engine, out, replay)
    assert len(engine.events("signals_failed")) == 1, "told once, not every second"
    consumer = consume(out, replay)
    consumer.read(market)
    assert unsent in consumer.missed()


def test_a_folder_in_which_nothing_can_be_made_is_told(engine, market):
    market.configure(endpoint="ipc:///proc/signals")
    event = engine.wait_news(EngineEvent, lambda e: e.kind == "signals_failed")
    assert "cannot bind ipc:///proc/signals" in event.detail
