"""The shell around the API: a Unix socket, TCP besides, and uvicorn, on the daemon's own event loop.

Both listeners serve one application. They differ in their doorman alone: of who connects to the socket the
kernel says who it is; who comes over TCP is asked for a key by the application's door.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from msgspec import Struct

from supervisor.api.accepting import Acceptor
from supervisor.api.app import Guards, build
from supervisor.api.bounds import Bounds
from supervisor.api.listeners import BACKLOG, Tls, gid_of, is_loopback, listen, listen_tcp, tls_context
from supervisor.api.peers import Admission, Peer
from supervisor.api.port import DaemonPort
from supervisor.api.protocol import DEFAULT, Doorman, SocketDoorman
from supervisor.errors import Failed

GOODBYE = 1.0
"""Seconds that open requests and followers have to end when the server closes."""
SOCKETS, TCP = ("api", "api.socket"), "http"
"""Names of what systemd may have opened (FileDescriptorName= of systemd.socket(5)): ours, and its default."""


class Tcp(Struct, frozen=True, kw_only=True):
    """Where TCP is listened on. ``chosen``: somebody set it, so it is an error if it cannot be had."""

    host: str
    port: int
    tls: Tls | None = None
    chosen: bool = True


class ApiServer:
    """Serves ``daemon`` on the Unix socket ``path``, and on ``tcp``, from ``start`` until ``close``.

    The caller holds the lock of the runtime directory, so a socket that is already there is a dead
    daemon's and is removed. ``group`` may use the socket besides root and the daemon's own user.
    ``inherited`` are listening sockets that systemd opened, which are used instead of own ones.
    ``on_refused`` is told of every peer that was sent away, ``on_problem`` why there is no TCP.
    """

    def __init__(
        self,
        daemon: DaemonPort,
        path: Path,
        *,
        version: str,
        guards: Guards | None = None,
        bounds: Bounds = DEFAULT,
        group: str | None = None,
        tcp: Tcp | None = None,
        inherited: Mapping[str, socket.socket] | None = None,
        on_refused: Callable[[Peer], None] | None = None,
        on_problem: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._daemon = daemon
        self._path = path
        self._version = version
        self._guards = guards or Guards()
        self._bounds = bounds
        self._group = group
        self._tcp = tcp
        self._inherited = dict(inherited or {})
        self._on_refused = on_refused
        self._on_problem = on_problem
        self._listener: socket.socket | None = None
        self._context: Any = None
        self._servers: list[tuple[_Server, asyncio.Task[None]]] = []
        self.address: tuple[str, int] | None = None
        """Host and port of TCP, None while there is none."""

    def open(self) -> None:
        """Take the TCP port, before anything is started that a wrong one would end again.

        Raises ``Failed`` for files of TLS that cannot be used, and for a port that somebody chose and that
        cannot be had; one that is only the default is a problem that is told.
        """
        if self._tcp is None or (self._tcp.port == 0 and TCP not in self._inherited):
            return
        if self._tcp.tls is not None:
            self._context = tls_context(self._tcp.tls)
        if TCP in self._inherited:
            self._listener = self._inherited.pop(TCP)
        else:
            try:
                self._listener = listen_tcp(self._tcp.host, self._tcp.port)
            except Failed as error:
                if self._tcp.chosen:
                    raise
                self._on_problem(str(error))
                return
        self.address = self._listener.getsockname()[:2]

    def renew_certificate(self) -> None:
        """Read the files of the certificate again, for connections to come; blocks. Raises ``Failed``."""
        if self._tcp is None or self._tcp.tls is None or self._context is None:
            return
        tls = self._tcp.tls
        tls_context(tls)  # tried on another one first: a chain without its key would spoil the one in use
        self._context.load_cert_chain(tls.cert, tls.key, password=b"")

    async def start(self) -> None:
        """Serve. Raises ``Failed`` when the socket cannot be had."""
        app = build(self._daemon, version=self._version, guards=self._guards)
        gid = gid_of(self._group)
        self.doorman = SocketDoorman(Admission(os.geteuid(), gid), self._on_refused, bounds=self._bounds)
        local = self._context is None and self._listener is not None and is_loopback(self._listener)
        self.tcp_doorman = Doorman(bounds=self._bounds, local=local)
        given = next((self._inherited[name] for name in SOCKETS if name in self._inherited), None)
        self._ours = given is None
        await self._serve(app, self.doorman, given or listen(self._path, gid))
        if self._listener is not None:
            await self._serve(app, self.tcp_doorman, self._listener, self._context)

    async def _serve(self, app: Any, doorman: Doorman, listener: socket.socket, context: Any = None) -> None:
        logging.getLogger("uvicorn.error").addFilter(_is_true)
        config = uvicorn.Config(
            app,
            http=doorman.protocol,  # type: ignore[arg-type]  # called, never asked for its type
            ws="websockets-sansio",
            ws_max_size=4096,  # nobody has much to say on a stream
            ws_ping_interval=15.0,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=int(GOODBYE),
            ssl_context_factory=None if context is None else lambda _config, _default: context,
            backlog=BACKLOG,
        )
        server = _Server(config, doorman)
        task = asyncio.create_task(server.serve(sockets=[listener]), name="api")
        self._servers.append((server, task))
        await server.listening.wait()

    async def close(self) -> None:
        """Stop listening, give what is open a second, and end it."""
        for server, _ in self._servers:
            server.stop()
        if self._servers:
            await asyncio.gather(*(task for _, task in self._servers))
            if self._ours:
                self._path.unlink(missing_ok=True)
            self._servers.clear()
        elif self._listener is not None:
            self._listener.close()
        self.address = None


def _is_true(record: logging.LogRecord) -> bool:
    # uvicorn says so of every handshake that was answered with a refusal, as whoever has no key is.
    return record.msg != "ASGI callable returned without completing handshake."


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (the daemon has its own) and without ten wake-ups a second.

    Its connections are taken one by one, within the bounds of ``doorman``.
    """

    def __init__(self, config: uvicorn.Config, doorman: Doorman) -> None:
        super().__init__(config)
        self._doorman = doorman
        self.acceptors: list[Acceptor] = []
        self.listening = asyncio.Event()
        self._stopped = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what comes to the sockets, which listen already."""
        config, doorman = self.config, self._doorman

        def protocol() -> asyncio.Protocol:
            return config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
                config=config, server_state=self.server_state, app_state={}
            )

        self.acceptors = [
            Acceptor(
                one,
                protocol,
                context=config.ssl,
                bounds=doorman.bounds,
                count=lambda: len(self.server_state.connections),
                make_room=doorman.make_room,
            )
            for one in sockets or []
        ]
        for acceptor in self.acceptors:
            acceptor.start()
        # Closed and awaited as asyncio's own are, and uvicorn does nothing else with them.
        self.servers = self.acceptors  # type: ignore[assignment]
        self.started = True

    async def main_loop(self) -> None:
        """Wait to be stopped."""
        await self.on_tick(0)
        self.listening.set()
        await self._stopped.wait()

    def stop(self) -> None:
        """Make ``serve`` return."""
        self.should_exit = True
        self._stopped.set()
