"""The engine's sockets towards the outside world: accepted signals, and those that were missed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import zmq

from bus.sockets.hub import Hub
from bus.sockets.owned import Owned, attach, release, set_key

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
    """PUB of accepted signals towards the outside world; CURVE with a secret key.

    An XPUB, which tells its owner who listens: what nobody does is not even made. ``listen`` is to be called
    when it can be read.
    """

    def __init__(self, hub: Hub, endpoint: str, curve_secret_key: str = "") -> None:
        socket = hub.context.socket(zmq.XPUB)
        socket.setsockopt(zmq.LINGER, 1000)
        socket.setsockopt(zmq.SNDHWM, 100_000)
        socket.setsockopt(zmq.MAXMSGSIZE, 4096)
        _serve_curve(socket, curve_secret_key)
        attach(socket, "bind", endpoint)
        super().__init__(socket)
        self._wanted: set[bytes] = set()

    def listen(self) -> None:
        """Take note of who came and went: one byte, 1 or 0, and the prefix (zmq_socket(3), ZMQ_XPUB)."""
        for frames in self.frames():
            notice = frames[0]
            if notice[:1] == b"\x01":
                self._wanted.add(notice[1:])
            elif notice[:1] == b"\x00":
                self._wanted.discard(notice[1:])

    @property
    def heard(self) -> bool:
        """Whether anybody listens. A new listener is known a turn of the loop after it subscribed.

        That the last one left may be known late, since sending can take the news off the descriptor that is
        watched (zmq_getsockopt(3), ZMQ_FD); that one came cannot, since then nothing is sent.
        """
        return bool(self._wanted)

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
        for frames in self.frames(16):
            if len(frames) >= 2:
                yield frames[:-1], frames[-1]

    def answer(self, envelope: Sequence[bytes], payload: bytes) -> None:
        """Send one answer back; a peer that has gone, or does not read, loses it."""
        with contextlib.suppress(zmq.Again, zmq.ZMQError):
            self.socket.send_multipart([*envelope, payload], zmq.NOBLOCK)
