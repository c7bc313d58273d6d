"""The supervisor's end of a trading gateway that speaks 0MQ (docs/routing.md, ``zmq``)."""

from __future__ import annotations

from collections.abc import Iterator

import zmq

from bus.sockets.owned import Owned, attach, set_key

QUESTIONS = 1_000
"""Questions that may be under way, and answers that may wait."""
HEARTBEAT_MS = 1_000
SILENCE_MS = 3_000
"""Milliseconds without a word after which a gateway counts as gone (zmq_setsockopt(3), ZMQ_HEARTBEAT_*)."""


class NobodyThere(Exception):
    """No gateway is connected, or it does not read: the message has certainly not left."""


class GatewayLink(Owned):
    """DEALER towards a gateway's ROUTER, with a context of its own; CURVE with the gateway's public key.

    ``IMMEDIATE`` keeps messages out of a pipe that is not up, so that ``send`` tells the truth. What
    ``descriptor`` says is that something changed: call ``messages`` then, and after each ``send``
    (zmq_getsockopt(3), ZMQ_FD).
    """

    def __init__(self, endpoint: str, curve_server_key: str = "", *, most: int = 64 * 1024) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.RCVHWM, QUESTIONS)
        socket.setsockopt(zmq.SNDHWM, QUESTIONS)
        socket.setsockopt(zmq.MAXMSGSIZE, most)
        socket.setsockopt(zmq.RECONNECT_IVL, 50)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1_000)
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
        try:
            if curve_server_key:
                socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
                set_key(socket, zmq.CURVE_SERVERKEY, curve_server_key)
            attach(socket, "connect", endpoint)
        except OSError:
            self._context.term()
            raise
        super().__init__(socket)

    @property
    def descriptor(self) -> int:
        """What an event loop watches."""
        return int(self.socket.getsockopt(zmq.FD))

    def send(self, message: bytes) -> None:
        """Hand one message to a gateway that is there. Raises ``NobodyThere``."""
        try:
            self.socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            raise NobodyThere from None

    def messages(self) -> Iterator[bytes]:
        """Yield everything that is ready; of a message of several frames the last one."""
        self.drained = False
        while not self.drained:
            for frames in self.frames():
                yield frames[-1]

    def close(self, linger_ms: int = 0) -> None:
        """Close it and its context. Twice is fine."""
        super().close(linger_ms)
        self._context.term()
