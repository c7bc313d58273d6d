"""The engine's sockets towards the outside world: accepted signals, and those that were missed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import zmq

from bus.sockets.hub import Hub
from bus.sockets.owned import Owned, attach, drain, release, set_key

OUTWARD = b"signals"
"""ZAP domain of the outward sockets: whoever holds their public key may connect to these, and to no other."""


def _serve_curve(socket: zmq.Socket[bytes], secret_key: str) -> None:
    """Admit only who knows the public key that belongs to ``secret_key``; everybody if that is "".

    Who reads them is not told apart, only that he was given the key, and that nobody between can read.
    """
    if secret_key:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.ZAP_DOMAIN, OUTWARD)
        set_key(socket, zmq.CURVE_SECRETKEY, secret_key)


class OutSocket(Owned):
    """PUB of accepted signals towards the outside world; CURVE with a secret key."""

    def __init__(self, hub: Hub, endpoint: str, curve_secret_key: str = "") -> None:
        socket = hub.context.socket(zmq.PUB)
        socket.setsockopt(zmq.LINGER, 1000)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        _serve_curve(socket, curve_secret_key)
        attach(socket, "bind", endpoint)
        super().__init__(socket)

    def release(self) -> None:
        """Give the endpoint back to whoever binds it next. What was sent still leaves until ``close``."""
        release(self.socket, self.endpoint)

    def send(self, topic: bytes, payload: bytes) -> None:
        """Send two frames, as cli.md fixes them."""
        self.socket.send_multipart((topic, payload))


class ReplaySocket(Owned):
    """ROUTER beside the signals: a consumer that was away asks for what it missed. CURVE as there."""

    def __init__(self, hub: Hub, endpoint: str, curve_secret_key: str = "") -> None:
        socket = hub.context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, 100)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        socket.setsockopt(zmq.MAXMSGSIZE, 4096)
        _serve_curve(socket, curve_secret_key)
        attach(socket, "bind", endpoint)
        super().__init__(socket)

    def release(self) -> None:
        """Give the endpoint back to whoever binds it next."""
        release(self.socket, self.endpoint)

    def questions(self) -> Iterator[tuple[list[bytes], bytes]]:
        """Yield (envelope, question) of what is ready; a REQ's empty delimiter is in the envelope."""
        for frames in drain(self.socket, 16):
            if len(frames) >= 2:
                yield frames[:-1], frames[-1]

    def answer(self, envelope: Sequence[bytes], payload: bytes) -> None:
        """Send one answer back; a peer that has gone, or does not read, loses it."""
        with contextlib.suppress(zmq.Again, zmq.ZMQError):
            self.socket.send_multipart([*envelope, payload], zmq.NOBLOCK)
