"""Whose page asks, over TCP: names that were made to point here, and pages of elsewhere. Raw sockets."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from supervisor.api.listeners import Tls, is_loopback, listen_tcp
from supervisor.api.origins import is_local, is_own
from tests.supervisor.door_world import FIRST, PATIENCE, World

PUSH = f"X-API-Key: {FIRST}\r\nContent-Type: application/json\r\nContent-Length: 17\r\n"
BODY = '{"ids":["gold"] }'
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


# ---- names and origins, pure -----------------------------------------------------------------------
@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LocalHost:8003", "localhost.", "127.0.0.1", "127.0.0.1:8003", "127.8.8.8:1",
        "[::1]", "[::1]:8003", "trade.example", "TRADE.example:443",
    ],
)  # fmt: skip
def test_names_of_this_host_are_answered_on_any_port(host):
    assert is_local(host, {"trade.example"})


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "evil.example:8003", "localhost.evil.example", "127.0.0.1.evil.example",
        "a.trade.example", "10.0.0.7", "0", "[::]", "user@localhost", "localhost@evil.example",
        "localhost/", "localhost#", "localhost:x", "localhost:99999", "localhost evil.example", "[::1", "::1",
    ],
)  # fmt: skip
def test_another_name_is_not(host):
    assert not is_local(host, {"trade.example"})


@given(st.text(max_size=40))
def test_whatever_a_host_says_is_judged_and_only_a_known_one_is_ours(host):
    if is_local(host):
        assert any(name in host.lower() for name in ("localhost", "127.", "::1", ":0:1", ":0001"))


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://localhost:8003", "localhost:8003", True),
        ("http://LOCALHOST:8003", "localhost:8003", True),
        ("http://localhost", "localhost:80", True),
        ("https://trade.example", "127.0.0.1:8003", True),
        ("https://a.example", "a.example", True),
        ("http://localhost:3000", "localhost:8003", False),
        ("http://evil.example", "localhost:8003", False),
        ("http://localhost:8003.evil.example", "localhost:8003", False),
        ("null", "localhost:8003", False),
        ("", "localhost:8003", False),
        ("file://", "localhost:8003", False),
        ("chrome-extension://localhost:8003", "localhost:8003", False),
        ("http://localhost:8003", None, False),
    ],
)
def test_an_origin_is_own_if_it_is_where_the_request_went_or_a_name_of_ours(origin, host, own):
    assert is_own(origin, host, {"trade.example"}) is own


def test_only_a_listener_of_this_host_alone_is_one():
    for address, local in (("127.0.0.1", True), ("::1", True), ("0.0.0.0", False)):  # noqa: S104  (asked about)
        try:
            listener = listen_tcp(address, 0)
        except Exception:  # noqa: BLE001  (a host without IPv6)
            assert address == "::1"
            continue
        with listener:
            assert is_loopback(listener) is local


# ---- a real listener ------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(names=("trade.example",)) as made:
        yield made


def ask(world: World, line: str, headers: str, body: str = "") -> tuple[int, dict[str, Any]]:
    """Send one request as it stands and return its status, and its body where that is a document."""
    with world.dial() as connection:
        connection.sendall(f"{line}\r\n{headers}\r\n{body}".encode())
        stream = connection.makefile("rb")
        status = int(stream.readline().split()[1])
        told = {}
        while (name := stream.readline().strip()) != b"":
            key, _, value = name.partition(b": ")
            told[key.lower()] = value
        if not told.get(b"content-type", b"").endswith(b"json"):
            return status, {}
        return status, json.loads(stream.read(int(told[b"content-length"])))


@pytest.mark.system
@pytest.mark.parametrize(
    ("line", "headers"),
    [
        ("GET /health HTTP/1.1", ""),
        ("GET / HTTP/1.1", ""),
        ("GET /api/v1/status HTTP/1.1", f"X-API-Key: {FIRST}\r\n"),
        ("GET /api/v1/events?topics=events HTTP/1.1", f"X-API-Key: {FIRST}\r\nAccept: text/event-stream\r\n"),
        ("GET /api/v1/stream?topics=events HTTP/1.1", f"X-API-Key: {FIRST}\r\n{UPGRADE}"),
        ("POST /api/v1/actions/stop HTTP/1.1", PUSH),
    ],
)
def test_a_name_that_was_made_to_point_here_is_answered_421_everywhere(world, line, headers):
    body = BODY if line.startswith("POST") else ""
    status, problem = ask(world, line, f"Host: evil.example:{world.port}\r\n{headers}", body)
    assert (status, problem["type"]) == (421, "urn:stratd:misdirected")
    assert f"Host: 'evil.example:{world.port}' is no name of this daemon" in problem["title"]
    assert (problem["instance"], bool(problem["request_id"])) == (line.split()[1].partition("?")[0], True)
    assert world.daemon.calls == []


@pytest.mark.system
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:{port}", "[::1]:{port}", "trade.example", None])
def test_names_of_this_host_a_configured_one_and_none_at_all_are_served(world, host):
    line = "GET /health HTTP/1.1" if host else "GET /health HTTP/1.0"
    named = f"Host: {host.format(port=world.port)}\r\n" if host else ""
    assert ask(world, line, named)[0] == 200


@pytest.mark.system
def test_a_page_of_elsewhere_changes_nothing_and_opens_no_websocket(world):
    before = list(world.daemon.calls)
    for origin in ("https://evil.example", "null", "http://localhost:1"):
        head = f"Host: localhost:{world.port}\r\nOrigin: {origin}\r\n"
        for line, rest, body in (
            ("POST /api/v1/actions/stop HTTP/1.1", PUSH, BODY),
            ("GET /api/v1/stream?topics=events HTTP/1.1", f"X-API-Key: {FIRST}\r\n{UPGRADE}", ""),
        ):
            status, problem = ask(world, line, head + rest, body)
            assert (status, problem["rule"], origin in problem["title"]) == (403, "origin", True), line
        assert ask(world, "GET /health HTTP/1.1", head)[0] == 200
    assert before == world.daemon.calls


@pytest.mark.system
def test_the_daemons_own_page_and_that_of_a_proxy_before_it_may(world):
    for host, origin in (
        (f"127.0.0.1:{world.port}", f"http://127.0.0.1:{world.port}"),
        ("127.0.0.1:8003", "https://trade.example"),
        ("trade.example", "https://trade.example"),
    ):
        head = f"Host: {host}\r\nOrigin: {origin}\r\n"
        assert ask(world, "POST /api/v1/actions/stop HTTP/1.1", head + PUSH, BODY)[0] == 200
        line = "GET /api/v1/stream?topics=events HTTP/1.1"
        assert ask(world, line, f"{head}X-API-Key: {FIRST}\r\n{UPGRADE}")[0] == 101


@pytest.mark.system
def test_a_certificate_says_whose_name_it_is_and_a_unix_socket_has_none(tmp_path, world):
    authority = trustme.CA()
    authority.issue_cert("trade.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "a.pem")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with (
        World(tls=Tls(tmp_path / "a.pem")) as secure,
        secure.dial() as plain,
        trusting.wrap_socket(plain, server_hostname="trade.example") as connection,
    ):
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: trade.example\r\nConnection: close\r\n\r\n")
        assert connection.makefile("rb").readline().split()[1] == b"200"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        connection.connect(str(world.served.path))
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: stratd\r\nConnection: close\r\n\r\n")
        assert connection.makefile("rb").readline().split()[1] == b"200"
