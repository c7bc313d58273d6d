"""The engine's sockets towards feeds and cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import zmq

from bus.sockets.hub import Hub
from bus.sockets.monitor import Monitor
from bus.sockets.outward import OUTWARD
from bus.sockets.owned import DRAIN_LIMIT, Owned, attach, readable, set_key

MAX_FEED_MESSAGE = 4 * 2**20
"""Bytes of one message from outside; libzmq drops the connection of a peer that sends more."""
MAX_REPORT = 17 * 2**20
"""Bytes of one report of a cell: a checkpoint of 16 MiB and its envelope."""
MARKET_QUEUE = 50_000
"""Messages that may wait for one slow cell before its own ticks are lost (and counted by sequence)."""
FEED_QUEUE = 200_000
"""Messages of a feed that may wait while the engine is busy."""


class FeedSocket(Owned):
    """SUB towards one external publisher, everything subscribed; bind or connect.

    ``monitor`` tells of its publishers; it is to be watched beside the socket.
    """

    def __init__(self, hub: Hub, endpoint: str, mode: str, curve_server_key: str = "") -> None:
        socket = hub.context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, FEED_QUEUE)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FEED_MESSAGE)
        socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, 100)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 2000)
        if curve_server_key:
            public, secret = zmq.curve_keypair()
            socket.curve_publickey, socket.curve_secretkey = public, secret
            set_key(socket, zmq.CURVE_SERVERKEY, curve_server_key)
        socket.subscribe(b"")
        self.monitor = Monitor(socket)
        try:
            attach(socket, mode, endpoint)
        except OSError:
            self.monitor.close()
            raise
        super().__init__(socket)

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting: whatever came before the last event of the monitor was taken."""
        return not readable(self.socket)

    def close(self, linger_ms: int = 0) -> None:
        """Close the socket and its monitor. Twice is fine."""
        self.monitor.close()
        super().close(linger_ms)

    def drain(self, limit: int = DRAIN_LIMIT) -> Iterator[list[bytes]]:
        """Yield the messages that are ready, at most ``limit``."""
        return self.frames(limit)


_NOT_YET = [b"300", b"not expected", b""]
"""A temporary refusal (ZeroMQ RFC 27): libzmq leaves the handshake open, and the cell tries again once its
``HANDSHAKE_IVL`` is over. After 400, a final one, it never does, and a cell that is back before it was
announced to a new engine would be deaf for good."""


class Gatekeeper(Owned):
    """ZAP (ZeroMQ RFC 27): answers libzmq's question who may connect with PLAIN.

    It lives in the engine's own loop instead of pyzmq's authenticator thread: the engine has one thread.
    ``admit(username, password)`` decides; the name becomes the ``User-Id`` of every message that
    arrives over that connection, and that is the only identity the engine believes.
    """

    def __init__(self, hub: Hub, admit: Callable[[str, str], bool]) -> None:
        socket = hub.context.socket(zmq.REP)
        socket.setsockopt(zmq.LINGER, 0)
        socket.bind("inproc://zeromq.zap.01")
        super().__init__(socket)
        self._admit = admit

    def answer(self) -> None:
        """Answer every waiting question."""
        for frames in self.frames():
            version, request_id, *rest = frames
            user, ok = "", False
            if len(rest) == 6 and rest[3] == b"PLAIN":
                user, password = rest[4].decode(errors="replace"), rest[5].decode(errors="replace")
                ok = self._admit(user, password)
            elif len(rest) == 5 and rest[0] == OUTWARD and rest[3] == b"CURVE":
                user, ok = rest[4].hex(), True  # the handshake itself proved that it knows our key
            status = [b"200", b"OK", user.encode()] if ok else _NOT_YET
            self.socket.send_multipart([version, request_id, *status, b""])


def folder_for_cells(runtime: Path) -> Path:
    """Make the folder of the sockets that cells see, and that is all they see of the runtime directory.

    Wardens may be of other uids, so everybody may pass through it; who comes that far, the runtime
    directory decides, which is ours alone.
    """
    folder = runtime / "cells"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o711)
    return folder


def bind_for_cells(socket: zmq.Socket[bytes], endpoint: str) -> None:
    """Bind where cells connect; their wardens may be of other uids.

    Whoever can reach an ipc socket may connect to it: its folder decides who that is, and ZAP who is let in.
    """
    attach(socket, "bind", endpoint)
    if endpoint.startswith("ipc:///"):
        Path(endpoint.removeprefix("ipc://")).chmod(0o666)


class MarketSocket(Owned):
    """PUB towards all wardens. A slow one loses its own messages and nobody else's."""

    def __init__(self, hub: Hub, endpoint: str) -> None:
        socket = hub.context.socket(zmq.PUB)
        socket.setsockopt(zmq.LINGER, 500)
        socket.setsockopt(zmq.SNDHWM, MARKET_QUEUE)
        socket.setsockopt(zmq.PLAIN_SERVER, 1)
        bind_for_cells(socket, endpoint)
        super().__init__(socket)
        self.send = socket.send
        """Send one frame ``topic|name|payload``; never blocks."""


class ReportSocket(Owned):
    """PULL from all wardens; yields (user id of the connection, payload)."""

    def __init__(self, hub: Hub, endpoint: str) -> None:
        socket = hub.context.socket(zmq.PULL)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 1000)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPORT)
        socket.setsockopt(zmq.PLAIN_SERVER, 1)
        bind_for_cells(socket, endpoint)
        super().__init__(socket)

    def drain(self, limit: int = DRAIN_LIMIT) -> Iterator[tuple[str, bytes]]:
        """Yield the reports that are ready, at most ``limit``. A multipart one is dropped whole."""
        receive, no_block = self.socket.recv, zmq.NOBLOCK
        try:
            for number in range(limit):
                frame = receive(no_block, False)
                if frame.more:
                    while frame.more:
                        frame = receive(no_block, False)
                    continue
                yield str(frame.get("User-Id")), frame.bytes
                if number == 0 and not readable(self.socket):  # as in Owned.frames
                    self.drained = True
                    return
        except zmq.Again:
            self.drained = True
