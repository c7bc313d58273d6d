"""Servers that no working daemon is: each is one clear error, of both clients alike."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.client import (
    BrokenOff,
    Client,
    Failed,
    Garbled,
    Invalid,
    OtherVersion,
    Silent,
    Unavailable,
    Unreachable,
)

pytestmark = pytest.mark.system

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ONCE = {"retries": 0}


class Scripted:
    """A server on a Unix socket that gives the answers of its script, one a connection, and hangs up.

    None: it reads the request and says nothing, until it is closed.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "api.sock"
        self.script: list[bytes | None] = []
        self.requests: list[bytes] = []
        self.hasty = False
        self._over = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(self.path))
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                self.requests.append(connection.recv(65_536) if self.hasty else whole(connection))
                if self._over.is_set():
                    return
                said = self.script.pop(0)
                if said is None:
                    connection.settimeout(60)
                    connection.recv(1)  # until the client goes
                else:
                    connection.sendall(said)

    def close(self) -> None:
        self._over.set()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(str(self.path))
            last.sendall(b"over")
        self._thread.join(60)
        self._socket.close()


def whole(connection: socket.socket) -> bytes:
    """Read one request with its body: a socket closed over unread data would reset the connection."""
    request = connection.recv(65_536)
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while left > 0 and (piece := connection.recv(left)):
        request, left = request + piece, left - len(piece)
    return request


@pytest.fixture
def server() -> Iterator[Scripted]:
    folder = Path(tempfile.mkdtemp(prefix="stratd-"))
    scripted = Scripted(folder)
    yield scripted
    scripted.close()
    shutil.rmtree(folder)


def answer(body: bytes, head: bytes = OK) -> bytes:
    return head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


ROWS = answer(b"[]")


def test_a_server_that_is_right_is_asked_once(server, do):
    server.script = [ROWS]
    assert do(server.path, "deployments") == []
    assert server.requests[0].startswith(b"GET /api/v1/deployments HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "said",
    [
        b"",
        OK + b"Content-Length: 100\r\n\r\n[",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n7\r\nha",
        b"HTTP/1.1 200 OK\r\nContent-",
    ],
    ids=["before it answered", "within its length", "between chunks", "within a chunk", "within its head"],
)
def test_one_that_dies_in_its_answer_broke_off_and_nothing_of_it_is_taken(server, do, said):
    server.script = [said]
    with pytest.raises(BrokenOff):
        do(server.path, "deployments", options=ONCE)


def test_one_that_hangs_is_silent_and_not_asked_again(server, do):
    server.script = [None]
    with pytest.raises(Silent, match="does not answer"):
        do(server.path, "deployments", options={"timeout": 0.2})
    assert len(server.requests) == 1


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.9\r\n\r\n", b"\x16\x03\x01\x02\x00" * 20 + b"\r\n\r\n"])
def test_what_speaks_no_http_is_no_stratd(server, do, said):
    server.script = [said]
    with pytest.raises(Garbled, match="no stratd"):
        do(server.path, "deployments", options=ONCE)


def test_an_answer_that_comes_before_all_was_sent_is_read(server):
    head = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
    server.script = [answer(b'{"title": "the request is too large"}', head)]
    server.hasty = True
    with Client(server.path, retries=0) as client, pytest.raises(Invalid, match="too large"):
        client.start("x", parameters={"text": "x" * 4_000_000})


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": 1}', b'[{"id": "x"}]', b"\xff", b"[" * 10_000])
def test_what_is_not_of_the_shape_of_the_api_is_garbled(server, do, body):
    server.script = [answer(body)]
    with pytest.raises(Garbled, match="another version"):
        do(server.path, "deployments")


def test_a_redirection_is_no_answer(server, do):
    server.script = [answer(b"", b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /\r\n")]
    with pytest.raises(Garbled, match="307"):
        do(server.path, "status")


def test_a_route_that_it_does_not_have_is_another_version(server, do):
    head = b"HTTP/1.1 404 Not Found\r\nContent-Type: application/problem+json\r\n"
    server.script = [answer(b'{"type": "about:blank", "title": "Not Found", "status": 404}', head)]
    with pytest.raises(OtherVersion):
        do(server.path, "status")


def test_nobody_there_says_what_to_do(server, do):
    with pytest.raises(Unreachable, match="stratd serve"):
        do(server.path.parent / "none.sock", "status", options=ONCE)


def test_a_port_where_nobody_listens_is_named(do):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Unreachable, match=url):
            do(url, "status", options=ONCE)


def test_a_request_that_was_lost_is_asked_again_as_the_same_one(server, do):
    latch = answer(b'{"scope": "account", "name": "a", "changed": true}')
    server.script = [b"", OK + b"Content-Length: 9\r\n\r\n{", latch]
    assert do(server.path, "pause_account", "a", reason="drill").changed
    keys = [key_of(request) for request in server.requests]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def key_of(request: bytes) -> bytes:
    (line,) = (one for one in request.split(b"\r\n") if one.lower().startswith(b"idempotency-key:"))
    return line.partition(b":")[2].strip()


def test_it_is_asked_so_often_and_then_told(server, do):
    server.script = [b"", b"", b""]
    with pytest.raises(BrokenOff):
        do(server.path, "status")
    assert len(server.requests) == 3


def test_one_that_is_busy_is_asked_again_when_it_says(server, do):
    busy = answer(b'{"title": "slower"}', b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 0\r\n")
    server.script = [busy, ROWS]
    assert do(server.path, "deployments") == []


def test_one_that_is_busy_for_long_is_told(server, do):
    busy = answer(b'{"title": "slower"}', b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\n")
    server.script = [busy]
    with pytest.raises(Unavailable) as told:
        do(server.path, "deployments")
    assert (str(told.value), told.value.retry_after) == ("slower", 3600.0)


def test_what_failed_is_not_tried_twice(server, do):
    head = b"HTTP/1.1 409 Conflict\r\n"
    server.script = [answer(b'{"type": "urn:stratd:failed", "title": "it did not"}', head)]
    with pytest.raises(Failed, match="it did not"):
        do(server.path, "rescan")
    assert len(server.requests) == 1


def test_an_idle_connection_that_was_closed_meanwhile_costs_nothing(server):
    server.script = [ROWS, ROWS]  # each hangs up, without having said that it would
    with Client(server.path, retries=0) as client:
        assert client.deployments() == []
        assert client.deployments() == []
