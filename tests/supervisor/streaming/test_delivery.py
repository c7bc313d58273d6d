"""The stream over real sockets: server-sent events and WebSockets, slow clients, and those who come back."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, unix_connect

from supervisor.api.delivery import deliver
from supervisor.streaming import stream as stream_module
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.waiting import turn, wait_until

PATIENCE = 60.0
pytestmark = pytest.mark.system


class Events:
    """Server-sent events, read from a socket as they come."""

    def __init__(self, path: Path, query: str = "", last: str = "") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        header = f"Last-Event-ID: {last}\r\n" if last else ""
        self.socket.sendall(
            f"GET /api/v1/events?{query} HTTP/1.0\r\nHost: x\r\nAccept: text/event-stream\r\n".encode()
            + f"{header}\r\n".encode()
        )
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        self.headers = dict(
            line.decode().strip().lower().split(": ", 1) for line in iter(self.file.readline, b"\r\n")
        )

    def __iter__(self) -> Iterator[tuple[str, str, Any]]:
        found: dict[str, str] = {}
        for raw in self.file:
            line = raw.decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                found[name] = value
            elif found:
                yield found["id"], found["event"], json.loads(found["data"])
                found = {}

    def take(self, count: int, topic: str = "") -> list[tuple[str, str, Any]]:
        taken: list[tuple[str, str, Any]] = []
        for message in self:
            if topic in ("", message[1]):
                taken.append(message)
            if len(taken) == count:
                break
        return taken

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@contextmanager
def listening(served: Served, query: str = "", last: str = "") -> Iterator[Events]:
    events = Events(served.path, query, last)
    try:
        yield events
    finally:
        events.close()


@pytest.fixture
def served() -> Iterator[Served]:
    daemon = FakeDaemon()
    daemon.rows["eurusd"] = make_row("eurusd")
    with Served(daemon) as served:
        yield served


def until(condition: Callable[[], bool]) -> None:
    wait_until(condition, timeout=PATIENCE)


def listeners(served: Served, count: int) -> None:
    until(lambda: served.daemon.hub.listeners == count)


def test_server_sent_events_have_an_id_a_topic_and_one_object(served):
    with listening(served, "topics=deployments,orders") as events:
        (_, topic, row), *_ = events.take(1)
        served.call(lambda: served.daemon.world.fill("eurusd"))
        (at, _, order), *_ = events.take(1, "orders")
        assert events.headers["content-type"].startswith("text/event-stream")
        assert (topic, row["id"], order["change"], at) == ("deployments", "eurusd", "filled", "0-1")


def test_who_comes_back_with_the_last_id_misses_nothing(served):
    fill = served.daemon.world.fill
    with listening(served, "topics=orders") as events:
        listeners(served, 1)
        served.call(lambda: fill("eurusd", 3))
        last = events.take(2)[-1][0]
    listeners(served, 0)
    served.call(lambda: fill("eurusd", 2))
    with listening(served, "topics=orders", last) as events:
        assert [order["seq"] for _, _, order in events.take(3)] == [3, 4, 5]


def test_a_listener_that_leaves_costs_nothing_any_more(served):
    with listening(served):
        listeners(served, 1)
    listeners(served, 0)


class Endless:
    """A stream that always has a message."""

    def __init__(self) -> None:
        self.cut_off = asyncio.Event()
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[list[Any]]:
        yield [("0-1", "events", "{}")]
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize("turns", range(6))
def test_a_listener_that_leaves_as_a_write_ends_is_let_go_too(turns):
    async def leave() -> bool:
        stream, gone = Endless(), asyncio.get_running_loop().create_future()

        async def write(_batch: object) -> None:
            gone.set_result(None)
            for _ in range(turns):
                await turn()

        await asyncio.wait_for(deliver(stream, write, gone), PATIENCE)
        return stream.closed

    assert asyncio.run(leave())


@pytest.mark.parametrize(
    ("query", "last", "status", "words"),
    [
        ("topics=jobs", "", 422, "no such topic"),
        ("", "what", 422, "not the id of a message"),
        ("deployment_id=gold", "", 404, "no deployment 'gold'"),
    ],
)
def test_a_wrong_wish_is_answered_before_anything_is_streamed(served, query, last, status, words):
    with listening(served, query, last) as events:
        body = json.loads(events.file.read())
        assert (events.status, words in body["title"]) == (status, True)
    assert served.daemon.hub.listeners == 0


def test_without_that_type_events_are_json_lines_as_ever(served):
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(PATIENCE)
        plain.connect(str(served.path))
        plain.sendall(b"GET /api/v1/events?n=1 HTTP/1.0\r\nHost: x\r\nAccept: */*\r\n\r\n")
        text = plain.makefile("rb").read().decode()
    assert json.loads(text.rsplit("\r\n\r\n", 1)[1])["seq"] == 5


def socket_to(served: Served, query: str = "") -> ClientConnection:
    return unix_connect(
        str(served.path), uri=f"ws://stratd/api/v1/stream?{query}", open_timeout=PATIENCE, compression=None
    )


def test_a_websocket_gets_the_same_messages_in_one_object_each(served):
    with socket_to(served, "topics=deployments,events") as client:
        first = json.loads(client.recv(PATIENCE))
        served.call(lambda: served.daemon.world.note("up", "eurusd"))
        second = json.loads(client.recv(PATIENCE))
    assert (first["topic"], first["data"]["id"]) == ("deployments", "eurusd")
    assert (second["id"], second["topic"], second["data"]["kind"]) == ("1-0", "events", "up")
    listeners(served, 0)


def test_a_wrong_wish_refuses_the_handshake_with_a_problem(served):
    with pytest.raises(InvalidStatus) as refusal, socket_to(served, "topics=jobs"):
        pass
    assert refusal.value.response.status_code == 422
    assert "no such topic" in json.loads(refusal.value.response.body)["title"]


def test_who_stops_reading_is_cut_off_and_the_others_lose_nothing(served, monkeypatch):
    """100,000 executions pass; the slow client's connection is ended, without a word of it to the others."""
    monkeypatch.setattr(stream_module, "BATCH", 1000)
    total, page = 100_000, 500
    with listening(served, "topics=orders") as slow, listening(served, "topics=orders") as quick:
        listeners(served, 2)
        seen = 0
        for expected in range(page, total + 1, page):
            served.call(lambda: served.daemon.world.fill("eurusd", page))
            for _, _, order in quick.take(page):
                seen += 1
                assert order["seq"] == seen
            assert seen == expected
        listeners(served, 1)
        assert served.daemon.hub.cut_off == 1
        held = sum(map(len, iter(lambda: slow.socket.recv(2**20), b"")))  # to its end
        assert held < 2**20


def test_a_websocket_that_is_not_read_is_cut_off_too(served):
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(PATIENCE)
        plain.connect(str(served.path))
        plain.sendall(
            b"GET /api/v1/stream?topics=orders HTTP/1.1\r\nHost: x\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        listeners(served, 1)
        served.call(lambda: served.daemon.world.fill("eurusd", 60_000))
        until(lambda: served.daemon.hub.cut_off == 1)
        listeners(served, 0)
        held = sum(map(len, iter(lambda: plain.recv(2**20), b"")))
        assert held < 2**20
