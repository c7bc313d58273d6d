"""The warden's end of the wires to the engine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

import zmq

from bus.sockets.inward import MARKET_QUEUE
from bus.sockets.owned import DRAIN_LIMIT, readable

REPORT_QUEUE = 500
"""Reports that may be on their way to an engine that does not read."""
HANDSHAKE_MS = 500
"""Milliseconds after which a connection that the engine has not answered is given up and made again."""


def split(frame: bytes) -> tuple[bytes, bytes]:
    """Return (topic, payload) of an internal message; the topic ends with its second ``|``."""
    end = frame.index(b"|", frame.index(b"|") + 1) + 1
    return frame[:end], frame[end:]


class CellLink:
    """The warden's end: SUB for market and commands, PUSH for the one ordered outbound pipe.

    Both connect with the PLAIN credential of this one instance. ``IMMEDIATE`` keeps reports out of a
    pipe that is not up yet, so ``send`` tells the truth.
    """

    def __init__(
        self, market_endpoint: str, report_endpoint: str, username: str, token: str, topics: Iterable[bytes]
    ) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._market = self._connect(zmq.SUB, username, token)
        self._market.setsockopt(zmq.RCVHWM, MARKET_QUEUE)
        # 0 = unbounded. A subscription is a message upstream, and libzmq drops those that find no room when
        # the connection is made (xsub.cpp, send_subscription): by the default of 1,000 a cell of 500 symbols
        # would hear some of its topics and not its commands.
        self._market.setsockopt(zmq.SNDHWM, 0)
        for topic in topics:
            self._market.subscribe(topic)
        self._market.connect(market_endpoint)
        self._report = self._connect(zmq.PUSH, username, token)
        # Messages, of up to 64 KiB each: what does not fit waits in the warden, which counts bytes.
        self._report.setsockopt(zmq.SNDHWM, REPORT_QUEUE)
        self._report.setsockopt(zmq.IMMEDIATE, 1)
        self._report.connect(report_endpoint)
        self._timeout_ms = -1

    def _connect(self, kind: int, username: str, token: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 500)
        # How soon a connection that the engine does not expect yet is tried again (inward.Gatekeeper).
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.plain_username = username.encode()
        socket.plain_password = token.encode()
        return socket

    def receive(self, timeout: float) -> list[tuple[bytes, bytes]]:
        """Block for the first (topic, payload), then take what else is ready; [] after ``timeout`` s."""
        timeout_ms = max(0, int(timeout * 1000))
        if timeout_ms != self._timeout_ms:
            self._market.setsockopt(zmq.RCVTIMEO, timeout_ms)
            self._timeout_ms = timeout_ms
        receive = self._market.recv
        try:
            messages = [split(receive())]
        except zmq.Again:
            return []
        if not readable(self._market):  # as in owned.Owned.frames
            return messages
        with contextlib.suppress(zmq.Again):
            while len(messages) < DRAIN_LIMIT:
                messages.append(split(receive(zmq.NOBLOCK)))
        return messages

    def send(self, payload: bytes) -> bool:
        """Queue one report in order; False while the engine is away or does not keep up."""
        try:
            self._report.send(payload, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self, linger_ms: int = 0) -> None:
        """Close both, giving queued reports ``linger_ms`` to leave."""
        self._market.close(0)
        self._report.close(linger_ms)
        self._context.term()
