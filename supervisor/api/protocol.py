"""HTTP/1.1 on one connection, of the Unix socket or of TCP: uvicorn's own, behind two guards.

A peer of the socket that may not be here gets a problem document before a byte of it is read, and nothing it
says is looked at. A client that connects and says nothing, or dribbles, with its first request or a later
one, is let go after a while; when very many do so at once, the one that has waited longest goes first: those
who hang never keep out those who ask.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from supervisor.api import caller
from supervisor.api.bounds import Bounds
from supervisor.api.handshakes import fault_of
from supervisor.api.origins import LOCAL
from supervisor.api.peers import Admission, Peer, name_of, peer_of
from supervisor.api.request_ids import uuid7
from supervisor.errors import Refused
from supervisor.problems import problem_of
from supervisor.schema import Problem

KNOWN: Final = "known"
"""In the state of a connection: what the door calls once a key was shown that is one (``door.py``)."""
DEFAULT: Final = Bounds()
log = logging.getLogger("stratd.api")


class Greeting(NamedTuple):
    """What a doorman says of a connection: what goes into its scopes, or what to answer who may not be."""

    state: dict[str, Any]
    refusal: bytes = b""
    drop: bool = False


class Doorman:
    """Shared by all connections of one server: who is still silent, and how many were let go for that.

    ``local``: it listens for this host alone, in plain text.
    """

    def __init__(self, *, bounds: Bounds = DEFAULT, local: bool = False) -> None:
        self.bounds = bounds
        self._local = local
        self.waiting: dict[GuardedProtocol, asyncio.TimerHandle] = {}
        self.strangers: dict[GuardedProtocol, None] = {}
        """Who has shown no key yet, the first to come first."""
        self.dropped = 0

    def protocol(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> GuardedProtocol:
        """Make the protocol of a new connection; the signature is the one by which uvicorn calls it."""
        return GuardedProtocol(config, server_state, app_state, _loop, doorman=self)

    def greet(self, _transport: asyncio.Transport) -> Greeting:
        """Return what is known of who connected: nothing, over TCP (``door.py`` asks for a key)."""
        return Greeting({"over_tcp": True, LOCAL: self._local})

    def admit(self, protocol: GuardedProtocol, loop: asyncio.AbstractEventLoop) -> None:
        """Give a new connection its time to ask, or to read that it may not."""
        self.waiting[protocol] = loop.call_later(self.bounds.request, self.drop, protocol)
        if len(self.waiting) > self.bounds.waiting:
            self.drop(next(iter(self.waiting)))

    def meet(self, protocol: GuardedProtocol) -> None:
        """Note one that came over TCP: a stranger until it shows a key."""
        self.strangers[protocol] = None
        if len(self.strangers) > self.bounds.waiting:
            self.drop(next(iter(self.strangers)))

    def knows(self, protocol: GuardedProtocol) -> None:
        """Note that one is no stranger any more, or is gone."""
        self.strangers.pop(protocol, None)

    def make_room(self) -> bool:
        """End the one that has waited longest, then the stranger that came first; whether there was any."""
        found = next(iter(self.waiting), None) or next(iter(self.strangers), None)
        if found is None:
            return False
        self.drop(found)
        return True

    def heard(self, protocol: GuardedProtocol) -> None:
        """Note that a connection has asked, or is gone."""
        timer = self.waiting.pop(protocol, None)
        if timer is not None:
            timer.cancel()

    def drop(self, protocol: GuardedProtocol) -> None:
        """End a connection that has not asked."""
        self.heard(protocol)
        self.knows(protocol)
        self.dropped += 1
        protocol.transport.abort()


class SocketDoorman(Doorman):
    """The doorman of the Unix socket: the kernel says who is there, and some may not be."""

    def __init__(
        self,
        admission: Admission,
        on_refused: Callable[[Peer], None] | None = None,
        *,
        bounds: Bounds = DEFAULT,
    ) -> None:
        super().__init__(bounds=bounds)
        self.admission = admission
        self.refused = 0
        self._on_refused = on_refused

    def greet(self, transport: asyncio.Transport) -> Greeting:
        """Return who connected, or what to answer one that may not."""
        connection: socket.socket = transport.get_extra_info("socket")
        try:
            peer = peer_of(connection)
        except (OSError, KeyError) as error:  # KeyError: a user that the password database does not know
            log.warning("dropped a connection of which the kernel does not say whose it is: %s", error)
            return Greeting({}, drop=True)
        who = caller.peer(name_of(peer), owner=self.admission.owns(peer))
        return Greeting({"caller": who}, b"" if self.admission.admits(peer) else self.refuse(peer))

    def refuse(self, peer: Peer) -> bytes:
        """Count a peer that may not be here and return what to answer it."""
        self.refused += 1
        log.warning("refused a connection of uid %d (pid %d)", peer.uid, peer.pid)
        if self._on_refused is not None:
            self._on_refused(peer)
        error = Refused("peer_credentials", f"uid {peer.uid} may not talk to this daemon")
        return _closing(HTTPStatus.FORBIDDEN, problem_of(error))


class GuardedProtocol(H11Protocol):
    """One connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        doorman: Doorman,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._doorman = doorman
        self._admitted = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Look at who is there before anything that it says."""
        super().connection_made(transport)
        greeting = self._doorman.greet(transport)
        if greeting.drop:
            transport.abort()
            return
        self._admitted = not greeting.refusal
        # Into every scope: who asks, and by what a stream ends the connection of one that reads nothing.
        known = functools.partial(self._doorman.knows, self)
        self.app_state = {**self.app_state, **greeting.state, "transport": transport, KNOWN: known}
        if "caller" not in greeting.state:
            self._doorman.meet(self)
        self._doorman.admit(self, self.loop)
        if greeting.refusal:
            # Only our half is closed: a socket closed over unread data resets the connection (unix(7)),
            # and the peer, which may be sending its request now, would never see why it was refused.
            transport.write(greeting.refusal)
            transport.write_eof()

    def data_received(self, data: bytes) -> None:
        """Pass on what an admitted client says; what another says is thrown away."""
        if not self._admitted:
            return
        super().data_received(data)
        if self.transport.is_closing() or self._asked():
            self._doorman.heard(self)
        elif self not in self._doorman.waiting:
            self._doorman.admit(self, self.loop)  # a later request has begun to come

    def _asked(self) -> bool:
        """Whether a whole request has come, or the connection has become a WebSocket."""
        if self.scope is None:  # at first, whatever its type says
            return False
        upgraded = self.transport.get_protocol() is not self
        return upgraded or self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP, in the form of every other error, and close the connection."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:  # else an answer is under way already
            self.transport.write(_closing(HTTPStatus.BAD_REQUEST, Problem(title=msg.rstrip("."), status=400)))
        self.transport.close()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over, unless that is no handshake; without a key it is closed there."""
        self._doorman.knows(self)
        fault = fault_of(event.method, event.headers)
        if fault is None:
            super().handle_websocket_upgrade(event)
            return
        path = event.target.partition(b"?")[0].decode("latin-1")
        name = uuid7(time.time_ns() // 10**6, os.urandom(10))
        problem = fault.model_copy(update={"instance": path, "request_id": name})
        said = {"x-request-id": name}
        said |= {"allow": "GET"} if fault.status == HTTPStatus.METHOD_NOT_ALLOWED else {}
        said |= {"sec-websocket-version": "13"} if fault.status == HTTPStatus.UPGRADE_REQUIRED else {}
        self.transport.write(_closing(HTTPStatus(fault.status), problem, said))
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._doorman.heard(self)
        self._doorman.knows(self)
        super().connection_lost(exc)


def _closing(status: HTTPStatus, problem: Problem, more: Mapping[str, str] | None = None) -> bytes:
    """Return a whole answer that says ``problem``, after which the connection is closed."""
    body = problem.model_dump_json().encode()
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (more or {}).items())
    return f"{head}connection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
