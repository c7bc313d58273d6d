"""The shell around the API: a Unix socket and uvicorn, on the daemon's own event loop.

TCP with keys and TLS is an issue of its own; it will be a second listener here, with the same application
and a doorman that asks for a key where this one asks the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn

from supervisor.api.app import build
from supervisor.api.peers import Admission, Peer
from supervisor.api.port import DaemonPort
from supervisor.api.protocol import Doorman
from supervisor.errors import Failed

LONGEST_PATH = 107
"""Bytes of a Unix socket's path (unix(7): sun_path holds 108 with the closing zero)."""
GOODBYE = 1.0
"""Seconds that open requests and followers have to end when the server closes."""


class ApiServer:
    """Serves ``daemon`` on the Unix socket ``path`` from ``start`` until ``close``.

    The caller holds the lock of the runtime directory, so a socket that is already there is a dead
    daemon's and is removed. ``group`` may use the socket besides root and the daemon's own user.
    ``on_refused`` is told of every peer that was sent away.
    """

    def __init__(
        self,
        daemon: DaemonPort,
        path: Path,
        *,
        version: str,
        group: str | None = None,
        max_body: int = 2**20,
        on_refused: Callable[[Peer], None] | None = None,
    ) -> None:
        self._daemon = daemon
        self._path = path
        self._version = version
        self._group = group
        self._max_body = max_body
        self._on_refused = on_refused
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. Raises ``Failed`` when the socket cannot be had."""
        gid = _gid(self._group)
        self.doorman = Doorman(Admission(os.geteuid(), gid), self._on_refused)
        config = uvicorn.Config(
            build(self._daemon, version=self._version, max_body=self._max_body),
            http=self.doorman.protocol,  # type: ignore[arg-type]  # called, never asked for its type
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
            backlog=1024,
        )
        self._server = _Server(config)
        listener = listen(self._path, gid)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="api")
        await self._server.listening.wait()

    async def close(self) -> None:
        """Stop listening, give what is open a second, and end it."""
        if self._server is not None and self._task is not None:
            self._server.stop()
            await self._task
            self._path.unlink(missing_ok=True)
            self._server = self._task = None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (the daemon has its own) and without ten wake-ups a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self._stopped = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def main_loop(self) -> None:
        """Wait to be stopped."""
        await self.on_tick(0)
        self.listening.set()
        await self._stopped.wait()

    def stop(self) -> None:
        """Make ``serve`` return."""
        self.should_exit = True
        self._stopped.set()


def listen(path: Path, gid: int | None) -> socket.socket:
    """Return a listening Unix socket at ``path`` that only its user (and group ``gid``) can open."""
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise Failed(f"{path}: too long for a Unix socket ({LONGEST_PATH} bytes): set a shorter runtime_dir")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with contextlib.ExitStack() as cleanup_on_fail:
        cleanup_on_fail.callback(listener.close)
        try:
            path.unlink(missing_ok=True)
            # Before bind, so that there is no instant with a wider mode (unix(7): the inode takes it over).
            os.fchmod(listener.fileno(), 0o600)
            listener.bind(str(path))
            if gid is not None:
                # After bind, which takes the umask off, and after the group is the right one.
                os.chown(path, -1, gid)
                path.chmod(0o660)
                os.chown(path.parent, -1, gid)
                path.parent.chmod(0o710)
            listener.listen(1024)
        except OSError as error:
            raise Failed(f"{path}: cannot listen there: {error.strerror}") from None
        cleanup_on_fail.pop_all()
    return listener


def _gid(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise Failed(f"api.group: there is no group {group!r} on this host (see getent group)") from None
