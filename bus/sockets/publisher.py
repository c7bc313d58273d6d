"""An external publisher of market data, played: replay, demo and tests."""

from __future__ import annotations

import time
from collections.abc import Sequence

import zmq

from bus.sockets.owned import Owned, attach


class Publisher(Owned):
    """PUB of market data, as an external publisher would have it: replay, demo and tests."""

    def __init__(self, endpoint: str, mode: str = "bind") -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        socket = self._context.socket(zmq.XPUB)
        socket.setsockopt(zmq.LINGER, 5000)
        # Every subscriber is told of, not only the first: one that comes back may overtake its own leaving.
        socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        # 0 = unbounded: a replay must not lose what it publishes; its own file bounds it.
        socket.setsockopt(zmq.SNDHWM, 0)
        try:
            attach(socket, mode, endpoint)
        except OSError:
            self._context.term()
            raise
        super().__init__(socket)

    def wait_for_subscriber(self, timeout: float) -> bool:
        """Whether somebody subscribed within ``timeout`` seconds; who left meanwhile does not count."""
        deadline = time.monotonic() + timeout
        while self.socket.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            if self.socket.recv().startswith(b"\x01"):
                return True
        return False

    def send(self, topic: bytes, payload: bytes) -> None:
        """Publish two frames."""
        self.socket.send_multipart((topic, payload))

    def send_frames(self, frames: Sequence[bytes]) -> None:
        """Publish recorded frames as they are."""
        self.socket.send_multipart(frames)

    def close(self, linger_ms: int = 5000) -> None:
        """Close after what was sent has left, at most ``linger_ms``."""
        super().close(linger_ms)
        self._context.term()
