"""Who connects and hangs, over TCP and TLS: bounded in number and time. Real listeners."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from supervisor.api.bounds import Bounds
from supervisor.api.listeners import Tls
from tests.supervisor.door_world import FIRST, PATIENCE, World
from tests.waiting import wait_until

pytestmark = pytest.mark.system
HALF = f"POST /api/v1/deployments HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {FIRST}\r\n".encode()
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"
"""The beginning of a ClientHello of 508 bytes (RFC 8446, 4.1.2), of which no more comes."""


@contextmanager
def hanging(world: World, count: int, says: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        found = [stack.enter_context(world.dial()) for _ in range(count)]
        for one in found[::2]:
            one.sendall(says)
        yield found


def ended(connections: list[socket.socket]) -> int:
    """Return how many of them the daemon has ended."""
    poll = select.poll()
    for one in connections:
        poll.register(one, select.POLLIN)
    return len(poll.poll(0))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    made = trustme.CA()
    made.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    context = ssl.create_default_context()
    made.configure_trust(context)
    return path, context


def status(world: World, context: ssl.SSLContext, key: str = FIRST) -> int:
    connection = http.client.HTTPSConnection("127.0.0.1", world.port, context=context, timeout=PATIENCE)
    try:
        connection.request("GET", "/api/v1/status", headers={"X-API-Key": key})
        return connection.getresponse().status
    finally:
        connection.close()


def acceptor(world: World) -> Any:
    return world.served.server._servers[-1][0].acceptors[0]


def test_a_thousand_handshakes_of_tls_that_are_never_done_keep_nobody_out(authority):
    path, context = authority
    with World(tls=Tls(path), bounds=Bounds(waiting=64, handshake=600)) as world:
        with hanging(world, 1000, HELLO) as hung:
            assert [status(world, context) for _ in range(5)] == [200] * 5
            wait_until(lambda: ended(hung) >= 1000 - 64, PATIENCE, "the oldest handshakes to be broken off")
            assert acceptor(world).greeting <= 64
        wait_until(lambda: acceptor(world).greeting == 0, PATIENCE, "the others to be forgotten")


def test_a_handshake_that_takes_too_long_is_ended(authority):
    path, context = authority
    with World(tls=Tls(path), bounds=Bounds(handshake=0.2)) as world, hanging(world, 4, HELLO) as hung:
        wait_until(lambda: ended(hung) == 4, PATIENCE, "all of them to be ended")
        assert (acceptor(world).unfinished, acceptor(world).greeting) == (4, 0)
        assert status(world, context) == 200


def test_a_request_that_does_not_come_in_whole_is_ended():
    with World(bounds=Bounds(request=0.2)) as world, hanging(world, 4, HALF) as hung:
        wait_until(lambda: ended(hung) == 4, PATIENCE, "all of them to be ended")
        assert world.ask("/api/v1/status").status == 200


def test_a_request_that_does_not_come_in_whole_is_ended_under_tls_too(authority):
    path, context = authority
    with World(tls=Tls(path), bounds=Bounds(request=0.2)) as world:
        with world.dial() as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as dribbling:
            dribbling.sendall(HALF)
            wait_until(lambda: ended([dribbling]), PATIENCE, "it to be ended")
        assert status(world, context) == 200


def test_who_has_shown_a_key_stays_while_strangers_come_and_go():
    with World(bounds=Bounds(waiting=16)) as world, world.dial() as known:
        known.sendall(
            f"GET /api/v1/events?topics=events HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {FIRST}\r\n"
            "Accept: text/event-stream\r\n\r\n".encode()
        )
        assert known.recv(64).startswith(b"HTTP/1.1 200")
        with hanging(world, 100) as hung:
            # They ask for what everybody may read, too, and never read it.
            for one in hung[50:]:
                one.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2)
            wait_until(
                lambda: len(world.served.server.tcp_doorman.strangers) <= 16, PATIENCE, "few to be left"
            )
            assert world.ask("/api/v1/status").status == 200
            before = world.daemon.followers
            known.setblocking(False)
            try:
                while known.recv(65536):
                    pass
            except BlockingIOError:
                stays = True
            else:
                stays = False
            assert (stays, world.daemon.followers) == (True, before)


def test_of_all_connections_there_are_only_so_many_and_a_stranger_makes_room():
    bounds = Bounds(connections=16, waiting=64)
    with World(bounds=bounds) as world, hanging(world, 60) as hung:
        assert world.ask("/api/v1/status").status == 200
        wait_until(lambda: ended(hung) >= 60 - 16, PATIENCE, "the oldest ones to be ended")
        assert len(world.served.server._servers[-1][0].server_state.connections) <= 16


def test_where_nobody_can_go_the_new_one_does():
    stream = (
        f"GET /api/v1/events?topics=events HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {FIRST}\r\n"
        "Accept: text/event-stream\r\n\r\n"
    ).encode()
    with World(bounds=Bounds(connections=4)) as world, hanging(world, 4) as known:
        for one in known:
            one.sendall(stream)
            assert one.recv(64).startswith(b"HTTP/1.1 200")
        with world.dial() as late:
            wait_until(lambda: ended([late]), PATIENCE, "the new one to be ended")
        assert acceptor(world).refused == 1
        known[0].close()
        wait_until(lambda: answers(world), PATIENCE, "room")


def answers(world: World) -> bool:
    try:
        return world.ask("/api/v1/status").status == 200
    except (OSError, http.client.HTTPException):
        return False
