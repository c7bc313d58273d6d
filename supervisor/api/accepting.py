"""Taking connections of one listener, as many as there may be, whatever those do that are there already.

Who hangs never keeps out who asks: a new connection is always taken, and if there are too many it is the one
that has waited longest without showing who it is that goes. A handshake of TLS is such a wait, too: it is
bounded in time and number before any of it is HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Final

from supervisor.api.bounds import Bounds

PAUSE: Final = 0.2
"""Seconds until the next try where the process or the host has no descriptor left."""
log = logging.getLogger("stratd.api")


class Acceptor:
    """Takes what comes to ``listener`` from ``start`` to ``close``, and gives each a ``protocol``.

    ``count`` is how many of them are open, handshakes aside; ``make_room`` ends one that is no loss and
    returns whether there was one. Closed and awaited as an ``asyncio.Server`` is.
    """

    def __init__(
        self,
        listener: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        *,
        context: ssl.SSLContext | None,
        bounds: Bounds,
        count: Callable[[], int],
        make_room: Callable[[], bool],
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._context = context
        self._bounds = bounds
        self._count = count
        self._make_room = make_room
        self._task: asyncio.Task[None] | None = None
        self._greeting: dict[asyncio.Task[None], socket.socket] = {}
        self.unfinished = 0
        """Handshakes that came to nothing: too slow, broken off for newer ones, or no TLS."""
        self.refused = 0
        """Connections that were closed at once, since none of those that were open could go."""

    @property
    def greeting(self) -> int:
        """How many handshakes are under way."""
        return len(self._greeting)

    def start(self) -> None:
        """Take connections from now on; the listener listens already."""
        self._listener.setblocking(False)
        self._task = asyncio.create_task(self._accept_all(), name="api-accept")

    def close(self) -> None:
        """Take no more of them, and end handshakes; those that are open are the server's to end."""
        if self._task is not None:
            self._task.cancel()
        for connection in self._greeting.values():
            _hang_up(connection)

    async def wait_closed(self) -> None:
        """Return once nothing of it is under way."""
        tasks = [task for task in (self._task, *self._greeting) if task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except ConnectionError:
                continue  # it went away while it waited (accept(2): ECONNABORTED)
            except OSError as error:
                log.warning("a connection cannot be taken: %s", error.strerror)
                self._make_room()
                await asyncio.sleep(PAUSE)
                continue
            greeting = self._take(connection)
            if greeting is not None and self._context is None:
                await asyncio.wait((greeting,))  # a matter of two turns: then it counts as open
            else:
                await asyncio.sleep(0)  # a thousand that come at once are not one turn of the loop

    def _take(self, connection: socket.socket) -> asyncio.Task[None] | None:
        room = self._count() + len(self._greeting) < self._bounds.connections or self._make_room()
        if not room and not self._greeting:
            self.refused += 1
            connection.close()
            return None
        if not room or len(self._greeting) >= self._bounds.waiting:
            _hang_up(self._greeting.pop(next(iter(self._greeting))))
        task = asyncio.create_task(self._greet(connection), name="api-greet")
        self._greeting[task] = connection
        task.add_done_callback(self._greeted)
        return task

    def _greeted(self, task: asyncio.Task[None]) -> None:
        self._greeting.pop(task, None)
        if task.cancelled() or (error := task.exception()) is None:
            return
        self.unfinished += 1
        if not isinstance(error, OSError):  # ssl.SSLError is one: what came is no TLS, not ours, or too slow
            log.error("a connection cannot be served", exc_info=error)

    async def _greet(self, connection: socket.socket) -> None:
        patience = self._bounds.handshake if self._context else None
        await asyncio.get_running_loop().connect_accepted_socket(
            self._protocol,
            connection,
            ssl=self._context,
            ssl_handshake_timeout=patience,
            ssl_shutdown_timeout=patience,
        )


def _hang_up(connection: socket.socket) -> None:
    # Not closed, nor its task cancelled: the descriptor is the transport's, which finds the end by itself.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
