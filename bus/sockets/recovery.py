"""Both ends of a feed's recovery: the publisher's, which answers, and the engine's, which asks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import zmq

from bus.feeds.recovery import MAX_ANSWER, MAX_QUESTION
from bus.sockets.hub import Hub
from bus.sockets.owned import Owned, attach, set_key

QUESTIONS = 16
"""Questions, and answers, that may wait for one peer."""


class RecoverySocket(Owned):
    """ROUTER beside a publisher's PUB, for subscribers that missed something."""

    def __init__(self, endpoint: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, QUESTIONS)
        socket.setsockopt(zmq.SNDHWM, QUESTIONS)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_QUESTION)
        try:
            attach(socket, "bind", endpoint)
        except OSError:
            self._context.term()
            raise
        super().__init__(socket)

    def wait(self, seconds: float) -> bool:
        """Whether a question is there within so many seconds, to the millisecond."""
        return bool(self.socket.poll(int(seconds * 1000)))

    def questions(self) -> Iterator[tuple[list[bytes], bytes]]:
        """Yield (envelope, question) of what is ready; a REQ's empty delimiter is in the envelope."""
        for frames in self.frames(QUESTIONS):
            if len(frames) >= 2:
                yield frames[:-1], frames[-1]

    def answer(self, envelope: Sequence[bytes], payload: bytes) -> None:
        """Send one answer back; a peer that has gone, or does not read, loses it."""
        with contextlib.suppress(zmq.Again, zmq.ZMQError):
            self.socket.send_multipart([*envelope, payload], zmq.NOBLOCK)

    def close(self, linger_ms: int = 0) -> None:
        """Close it and its context. Twice is fine."""
        super().close(linger_ms)
        self._context.term()


class RecoveryLink(Owned):
    """DEALER of the engine, for one recovery of one feed: what is late for it goes with it."""

    def __init__(self, hub: Hub, endpoint: str, curve_server_key: str = "") -> None:
        socket = hub.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVHWM, QUESTIONS)
        socket.setsockopt(zmq.SNDHWM, QUESTIONS)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_ANSWER)
        socket.setsockopt(zmq.RECONNECT_IVL, 20)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        if curve_server_key:
            public, secret = zmq.curve_keypair()
            socket.curve_publickey, socket.curve_secretkey = public, secret
            set_key(socket, zmq.CURVE_SERVERKEY, curve_server_key)
        attach(socket, "connect", endpoint)
        super().__init__(socket)

    def ask(self, question: bytes) -> None:
        """Queue one question; it leaves as soon as the publisher is there."""
        with contextlib.suppress(zmq.Again):
            self.socket.send(question, zmq.NOBLOCK)

    def answers(self) -> Iterator[list[bytes]]:
        """Yield the messages that are ready."""
        return self.frames(QUESTIONS)
