"""The engine process, as the daemon holds it: started, told, listened to, started again when it dies.

Rules of this file. The engine is exec'ed with a literal environment: no secret of the daemon's is in it.
Nobody waits for it: an order that does not fit the socket is kept and sent when there is room. Orders to a
dead engine are dropped on purpose, since ``on_ready`` makes the daemon say everything again that still holds
(feeds, living cells); an order that must not be lost belongs into what is said again. What was removed is
nowhere else any more, so it is written down (``removals``), and the next engine is told of it first of all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec

from supervisor.control import EngineNews, EngineOrder, EngineReady, Forget, Forgotten, ShutDown
from supervisor.pieces import PIECE, Joiner, pieces
from supervisor.removals import Removals
from supervisor.tasks import end_task

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
    "MALLOC_ARENA_MAX": "2",
}
"""Everything that the engine finds in its environment."""
BUFFER = 8 * 2**20
"""Socket buffer asked for in bytes; the kernel may give less (socket(7))."""
RESTART_FIRST = 0.1
RESTART_CAP = 5.0
"""Seconds before a dead engine is started again: doubled each time, until one is ready."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(EngineNews).decode


class EngineListener(Protocol):
    """Who is told what the engine says and how it is."""

    def on_news(self, news: EngineNews) -> None:
        """Take what the engine said; ``EngineReady`` is the moment to say everything again."""
        ...

    def on_engine_death(self, code: int) -> None:
        """Take note that the engine ended by itself; it will be started again."""
        ...

    def on_engine_unstarted(self, why: str) -> None:
        """Take note that the host has no room for another engine now; it is tried again."""
        ...


class EngineClient:
    """Owns the engine process and the supervisor's end of its channel."""

    def __init__(
        self, runtime: Path, state: Path, listener: EngineListener, *, command: list[str] | None = None
    ) -> None:
        self._command = command or [
            *(sys.executable, "-B", "-I", "-m", "supervisor.engine"),
            *("--runtime", str(runtime), "--state", str(state)),
        ]
        self._listener = listener
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._pidfd: int | None = None
        self._waiting: deque[bytes] = deque()
        self._to_forget: dict[str, Forget] = {}
        """Removed deployments of which no engine has said yet that they are out of its journal."""
        self.removals = Removals(state)
        """The same, for the next daemon."""
        self._joiner = Joiner()
        self._delay = RESTART_FIRST
        self._timer: asyncio.TimerHandle | None = None
        self._restart: asyncio.Task[None] | None = None
        self.before_restart: Callable[[], Awaitable[None]] | None = None
        """Awaited before an engine that died is started again; never raises."""
        self._gone = asyncio.Event()
        self._stopping = False
        self.starts = 0
        self.ready: EngineReady | None = None
        """What the living engine said when it was ready, None before."""

    @property
    def pid(self) -> int | None:
        """Pid of the engine, None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process; ``EngineReady`` follows as news. Raises ``OSError``, and then there is none."""
        self._timer = None
        self.starts += 1
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.ExitStack() as unless_started:
            unless_started.callback(ours.close)
            ours.setblocking(False)
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                ours.setsockopt(socket.SOL_SOCKET, option, BUFFER)
            with theirs:
                process = self._open(theirs.fileno())
            unless_started.callback(process.wait)
            unless_started.callback(process.kill)  # first of all, as what is pushed last
            self._pidfd = os.pidfd_open(process.pid)
            unless_started.pop_all()
        self._process, self._channel = process, ours
        self._joiner = Joiner()
        self._gone.clear()
        loop = asyncio.get_running_loop()
        loop.add_reader(ours.fileno(), self._read)
        loop.add_reader(self._pidfd, self._died)
        for order in self._to_forget.values():  # before another deployment of that name is spoken of
            self.tell(order)

    def _open(self, descriptor: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*self._command, "--control-fd", str(descriptor), "--parent", str(os.getpid())],
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # stderr is the daemon's: there it says why it ends
            pass_fds=[descriptor],
            start_new_session=True,
        )

    def _start_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._delay, self._start_again)
        self._delay = min(RESTART_CAP, self._delay * 2)

    def _start_again(self) -> None:
        self._timer = None
        self._restart = asyncio.create_task(self._prepare_and_start(), name="engine restart")

    async def _prepare_and_start(self) -> None:
        if self.before_restart is not None:
            await self.before_restart()
        try:
            self.start()
        except OSError as error:  # no memory, process or descriptor to spare: there will be
            self._start_later()
            self._listener.on_engine_unstarted(error.strerror or str(error))

    def tell(self, order: EngineOrder) -> None:
        """Send an order, or keep it while the engine is busy. Dropped while there is no engine."""
        if self._channel is None:
            return
        waited = bool(self._waiting)
        self._waiting.extend(pieces(_encode(order)))
        if not waited:
            self._flush()

    def forget(self, deployment_id: str) -> None:
        """Have a removed deployment forgotten, by this engine or by the next; ``removals`` owes it."""
        self._to_forget[deployment_id] = order = Forget(deployment_id)
        self.tell(order)

    async def stop(self, grace: float) -> None:
        """Tell the engine to commit and flush within ``grace`` seconds; then it is killed."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        await end_task(self._restart)
        if self._process is not None:
            self.tell(ShutDown(grace))
            try:
                await asyncio.wait_for(self._gone.wait(), grace + 1.0)
            except TimeoutError:
                self.kill()
                await self._gone.wait()
        await self.removals.close()

    def kill(self) -> None:
        """SIGKILL, if it lives. Its journal was committed to the last answer that it gave."""
        if self._process is not None:
            self._process.kill()

    def _flush(self) -> None:
        channel = self._channel
        if channel is None:
            return
        loop = asyncio.get_running_loop()
        while self._waiting:
            try:
                channel.send(self._waiting[0])
            except BlockingIOError:
                loop.add_writer(channel.fileno(), self._flush)
                return
            except OSError:
                break  # it is dying; its pidfd tells
            self._waiting.popleft()
        loop.remove_writer(channel.fileno())

    def _read(self) -> None:
        channel = self._channel
        while channel is not None and channel is self._channel:
            try:
                datagram = channel.recv(2 * PIECE)
            except BlockingIOError:
                return
            except ConnectionError:
                datagram = b""
            if not datagram:
                asyncio.get_running_loop().remove_reader(channel.fileno())
                return
            word = self._joiner.feed(datagram)
            if word is None:
                continue
            news = _decode(word)
            if isinstance(news, EngineReady):
                self.ready = news
                self._delay = RESTART_FIRST
            elif isinstance(news, Forgotten):
                self._to_forget.pop(news.deployment_id, None)
                self.removals.strike(news.deployment_id)
            self._listener.on_news(news)

    def _died(self) -> None:
        self._read()  # what it said before it ended counts
        loop = asyncio.get_running_loop()
        process, channel, pidfd = self._process, self._channel, self._pidfd
        if process is None or channel is None or pidfd is None:
            return
        loop.remove_reader(pidfd)
        loop.remove_reader(channel.fileno())
        loop.remove_writer(channel.fileno())
        channel.close()
        os.close(pidfd)
        code = process.wait()
        self._process = self._channel = self._pidfd = self.ready = None
        self._waiting.clear()
        self._gone.set()
        if not self._stopping:
            self._start_later()
            self._listener.on_engine_death(code)
