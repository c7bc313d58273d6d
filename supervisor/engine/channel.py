"""The engine's end of the control channel: typed datagrams, and nothing ever waits for the supervisor."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator

import msgspec

from supervisor.control import EngineNews, EngineOrder
from supervisor.pieces import PIECE, Joiner, pieces

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EngineOrder).decode

BUFFER = 8 * 2**20
"""Socket buffer asked for in bytes; an ordinary user gets at most net.core.wmem_max (socket(7))."""


class SupervisorGone(Exception):
    """The other end is closed: the engine has to end too."""


class Channel:
    """Owns the inherited AF_UNIX SOCK_SEQPACKET descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self._waiting: deque[bytes] = deque()
        self._joiner = Joiner()
        # Received into, so that no datagram costs an allocation; none is larger than a piece and its head.
        self._buffer = bytearray(2 * PIECE)

    def fileno(self) -> int:
        """Descriptor to poll."""
        return self._socket.fileno()

    def orders(self) -> Iterator[EngineOrder]:
        """Yield what the supervisor has said. Raises SupervisorGone at its end."""
        while True:
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                return
            except ConnectionError as error:
                raise SupervisorGone(str(error)) from None
            if size == 0:
                raise SupervisorGone("the supervisor closed the control channel")
            word = self._joiner.feed(memoryview(self._buffer)[:size])
            if word is not None:
                yield _decode(word)

    def tell(self, news: EngineNews) -> None:
        """Send, or keep for ``flush`` while the supervisor is busy."""
        self._waiting.extend(pieces(_encode(news)))
        self.flush()

    def flush(self) -> None:
        """Send what waits, in order, as far as it goes."""
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except ConnectionError as error:
                raise SupervisorGone(str(error)) from None
            self._waiting.popleft()

    def close(self) -> None:
        """Close the descriptor."""
        self._socket.close()
