"""What is no handshake of a WebSocket: a problem document that names the header, as every other error."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from supervisor.api.handshakes import fault_of
from tests.supervisor.door_world import FIRST, World

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
GOOD = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY}
WRONG = [
    ("POST", GOOD, 405, "a WebSocket is opened by GET, not by POST"),
    ("GET", {"Sec-WebSocket-Key": KEY}, 426, "Sec-WebSocket-Version is missing: must be 13"),
    ("GET", {**GOOD, "Sec-WebSocket-Version": "99"}, 426, "Sec-WebSocket-Version = '99': must be 13"),
    ("GET", {"Sec-WebSocket-Version": "13"}, 400, "Sec-WebSocket-Key: must be there once, and is 0 times"),
    ("GET", {**GOOD, "Sec-WebSocket-Key": "x"}, 400, "Sec-WebSocket-Key = 'x': must be 16 bytes in base64"),
    ("GET", {**GOOD, "sec-websocket-key": KEY}, 400, "Sec-WebSocket-Key: must be there once, and is 2 times"),
    ("GET", {**GOOD, "Sec-WebSocket-Key": "AAAA"}, 400, "Sec-WebSocket-Key = 'AAAA': must be 16 bytes"),
]


def as_h11(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def test_a_handshake_is_one():
    assert fault_of(b"GET", as_h11({**GOOD, "Sec-WebSocket-Extensions": ";;"})) is None


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World() as made:
        yield made


@pytest.mark.system
@pytest.mark.parametrize(("method", "headers", "status", "title"), WRONG)
def test_what_is_none_is_a_problem_that_names_what_is_wrong(world, method, headers, status, title):
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"Host: localhost\r\nX-API-Key: {FIRST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    with world.dial() as connection:
        connection.sendall(f"{method} /api/v1/stream?topics=events HTTP/1.1\r\n{head}{lines}\r\n".encode())
        told, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    first, *rest = told.decode().split("\r\n")
    answered = dict(line.split(": ", 1) for line in rest)
    problem = json.loads(body)
    assert first.startswith(f"HTTP/1.1 {status} ")
    assert (answered["content-type"], answered["connection"]) == ("application/problem+json", "close")
    assert (answered.get("sec-websocket-version"), answered.get("allow")) == (
        "13" if status == 426 else None,
        "GET" if status == 405 else None,
    )
    assert title in problem["title"]
    assert ("/api/v1/stream", answered["x-request-id"]) == (problem["instance"], problem["request_id"])
