"""HTTP/1.1 over a Unix socket, TCP or TLS, waited for: the standard library's client.

http.client and not httpx2: a command lives for a tenth of a second, of which httpx2 alone would take half to
be imported (docs/cli.md has the figures), and nothing of what it adds is needed by one who waits.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from supervisor.client import wording
from supervisor.client.answers import Answer
from supervisor.client.call import Call
from supervisor.client.errors import BrokenOff
from supervisor.client.place import Place

CONNECT_TIMEOUT: Final = 5.0
MOST_BYTES: Final = 256 * 2**20
"""Of one answer: a hundred times the longest that the daemon gives."""
FRESH: Final = 3.0
"""Seconds that an idle connection is trusted: below the 5 s after which the daemon closes one."""
PIECE: Final = 65_536


class Wire:
    """Connections to one daemon. Any thread may use it; ``close`` ends those that wait to be used again."""

    def __init__(self, place: Place, tls: ssl.SSLContext | None) -> None:
        self._place = place
        self._tls = tls
        self._idle: deque[tuple[float, _Connection]] = deque()
        """With the monotonic second of their last use; append and pop are atomic (docs of deque)."""

    def exchange(self, call: Call[object], headers: Mapping[str, str]) -> Answer:
        """Ask, and return the whole answer, whatever its status. Raises the errors of ``errors``."""
        connection = self._take()
        reused = connection is not None
        try:
            return self._exchange(connection or _Connection(self._place, self._tls), call, headers)
        except BrokenOff:
            if not reused:
                raise
            # The daemon may have closed it just before we asked; on a new one this cannot be.
            return self._exchange(_Connection(self._place, self._tls), call, headers)

    def _exchange(self, connection: _Connection, call: Call[object], headers: Mapping[str, str]) -> Answer:
        deadline = None if call.timeout is None else time.monotonic() + call.timeout
        with self._asked(connection, call, headers) as response:
            pieces, size = [], 0
            while piece := response.read1(PIECE):
                pieces.append(piece)
                size += len(piece)
                if size > MOST_BYTES:
                    raise wording.too_long(self._place, MOST_BYTES)
                if deadline is not None and time.monotonic() > deadline:
                    raise TimeoutError  # one that sends a byte now and then is no better than one that hangs
            if _torn(response):
                raise wording.went_away(self._place)
            response.close()  # Python 3.11 does not by itself after read1, and would take no other request
            if response.will_close:
                connection.close()
            else:
                self._idle.append((time.monotonic(), connection))
            return Answer(response.status, _headers(response), b"".join(pieces))

    @contextmanager
    def stream(self, call: Call[object], headers: Mapping[str, str]) -> Iterator[Stream]:
        """Ask, and give the answer as it comes, on a connection of its own."""
        connection = _Connection(self._place, self._tls)
        try:
            with self._asked(connection, call, headers) as response:
                yield Stream(self._place, response)
        finally:
            connection.close()

    @contextmanager
    def _asked(
        self, connection: _Connection, call: Call[object], headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """Give the answer's head; the connection is closed if anything fails, here or with the caller."""
        try:
            connection.patience = call.timeout
            sent = {"Host": self._place.authority, **headers}
            with suppress(BrokenPipeError, ConnectionResetError):
                # It may hang up before it has read all, and have said why (413): look first.
                connection.request(call.method, self._place.base + call.target, call.body, sent)
            yield connection.getresponse()
        except OSError as error:
            connection.close()
            raise wording.of_os_error(self._place, error) from None
        except http.client.IncompleteRead:
            connection.close()
            raise wording.went_away(self._place) from None
        except http.client.HTTPException:
            connection.close()
            raise wording.no_http(self._place) from None
        except BaseException:
            connection.close()
            raise

    def _take(self) -> _Connection | None:
        while self._idle:
            try:
                used, connection = self._idle.pop()
            except IndexError:  # another thread took it
                return None
            if time.monotonic() - used < FRESH:
                return connection
            connection.close()
        return None

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop()[1].close()


class Stream:
    """An answer that comes bit by bit."""

    def __init__(self, place: Place, response: http.client.HTTPResponse) -> None:
        self._place = place
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status

    @property
    def head(self) -> Answer:
        """The answer without its body."""
        return Answer(self.status, _headers(self._response), b"")

    def rest(self) -> Answer:
        """Return the whole answer: of a refusal, which is short."""
        return Answer(self.status, _headers(self._response), self._response.read(PIECE))

    def pieces(self) -> Iterator[bytes]:
        """Yield bytes as they come, until the daemon ends the answer; ``BrokenOff`` if it did not."""
        while piece := self._response.read1(PIECE):
            yield piece
        self._ended()

    def lines(self) -> Iterator[bytes]:
        """Yield lines as they come, each with its end."""
        while line := self._response.readline():
            yield line
        self._ended()

    def _ended(self) -> None:
        if _torn(self._response):
            raise wording.broke_off(self._place)


class _Connection(http.client.HTTPConnection):
    """One connection. ``patience`` is the timeout of each read, None to wait for ever."""

    def __init__(self, place: Place, tls: ssl.SSLContext | None) -> None:
        super().__init__(place.host, place.port or None, timeout=CONNECT_TIMEOUT)
        self._place = place
        self._tls = tls
        self.patience: float | None = CONNECT_TIMEOUT

    def connect(self) -> None:
        if self._place.socket is not None:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(CONNECT_TIMEOUT)
            self.sock.connect(str(self._place.socket))
            return
        self.sock = socket.create_connection((self._place.host, self._place.port), CONNECT_TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._place.host)

    def getresponse(self) -> http.client.HTTPResponse:
        self.sock.settimeout(self.patience)
        return super().getresponse()


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _torn(response: http.client.HTTPResponse) -> bool:
    """Whether the connection ended before the answer did, which http.client takes for its end.

    Only after the chunk of length 0 is nothing left of the last one; a length that was announced is
    counted down to nothing, and none at all (a head that broke off) is of no answer of the daemon.
    """
    if response.chunked:
        return getattr(response, "chunk_left", None) is not None
    return response.length != 0
