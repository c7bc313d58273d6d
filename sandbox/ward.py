"""The strategy process as its warden holds it: pidfd, conversation socket, output pipes, and its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple

from sandbox import channel, runner
from sandbox.births import Spawn
from sandbox.confinement import Confinement
from sandbox.fork import fork
from sandbox.protocol import DATAGRAM
from sandbox.settling import Birth
from sandbox.threads import open_status

READ = 64 * 1024
"""Bytes read from a pipe at once: what it holds (pipe(7))."""
DYING = 2.0
"""Seconds that a process gets to write its stack after SIGABRT before it is killed: enough on a busy host."""
DRAINING = 0.5
"""Seconds that the output of a dead process may take to its end: a descendant may hold the pipe open."""


class Death(NamedTuple):
    """How the process ended: wait4(2), and memory in bytes and processor time in seconds."""

    exit_code: int | None
    signal: int | None
    peak_memory: int
    cpu_time: float


class Ward:
    """One strategy process. ``fork`` makes it; ``reap`` ends it."""

    def __init__(self, pid: int, talk: socket.socket, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.talk = talk
        self.stdout = stdout
        self.stderr = stderr
        self.status: int | None = None
        """Descriptor of its /proc/PID/status, where its threads have to be counted here."""
        self.death: Death | None = None
        self._buffer = bytearray(DATAGRAM + 1)
        self._view = memoryview(self._buffer)

    @classmethod
    def fork(cls, cell: Spawn, confinement: Confinement, groups: Sequence[int]) -> Ward:
        """Fork the strategy process. Called before the warden knows, or owns, anything that is secret."""
        ours, theirs = channel.pair()
        stdout, stdout_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        stderr, stderr_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for end in (stdout_end, stderr_end):
            os.set_blocking(end, True)
            os.fchmod(end, 0)  # never opened again by /proc/self/fd: the strategy may write, and that is all
        birth = Birth(cell, confinement, groups, theirs.fileno(), stdout_end, stderr_end, os.getpid())

        def be_strategy() -> None:
            raise SystemExit(runner.main(birth))

        pid = fork(be_strategy)
        theirs.close()
        os.close(stdout_end)
        os.close(stderr_end)
        ours.setblocking(False)
        ward = cls(pid, ours, stdout, stderr)
        if not cell.counted:
            ward.status = open_status(ward.pidfd)
        return ward

    # ---- talking ----------------------------------------------------------------------------------
    def send(self, datagram: bytes, timeout: float) -> None:
        """Send one datagram; ``TimeoutError`` if the strategy does not read for so long.

        ``EOFError`` once it is gone.
        """
        while not self.send_now(datagram):
            poll = select.poll()
            poll.register(self.talk, select.POLLOUT)
            if not poll.poll(timeout * 1000):
                raise TimeoutError

    def send_now(self, datagram: bytes) -> bool:
        """Send one datagram; False if there is no room. ``EOFError`` once the strategy is gone."""
        try:
            self.talk.send(datagram)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        return True

    def receive(self) -> memoryview | None:
        """Return one datagram, valid until the next call; None if there is none.

        Plain recv: the kernel drops descriptors that come along. One byte of room more than allowed
        tells a datagram that is too large. ``EOFError`` once it is gone.
        """
        try:
            size = self.talk.recv_into(self._buffer)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            raise EOFError from None
        if not size:
            raise EOFError
        return self._view[:size]

    # ---- its end ----------------------------------------------------------------------------------
    def signal(self, number: int) -> None:
        """Send a signal; one to a process that is gone is fine."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def is_gone(self, timeout: float = 0.0) -> bool:
        """Whether it has ended, waiting ``timeout`` seconds for that."""
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    def kill(self) -> None:
        """End it now."""
        self.signal(signal.SIGKILL)

    def reap(self) -> Death:
        """Wait for its end and return how it went; after ``kill``, or once it is gone."""
        if self.death is None:
            _, status, used = os.wait4(self.pid, 0)
            code = os.waitstatus_to_exitcode(status)
            self.death = Death(
                exit_code=code if code >= 0 else None,
                signal=-code if code < 0 else None,
                peak_memory=used.ru_maxrss * 1024,
                cpu_time=used.ru_utime + used.ru_stime,
            )
        return self.death

    def read(self, pipe: int) -> bytes | None:
        """Return what can be read from ``stdout`` or ``stderr`` now; b"" at its end, None if nothing."""
        try:
            return os.read(pipe, READ)
        except BlockingIOError:
            return None

    def read_to_end(self, pipe: int, limit: int) -> bytes:
        """Return what is left in a pipe of a dead process, at most ``limit`` bytes and ``DRAINING`` s."""
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        deadline = time.monotonic() + DRAINING
        data = b""
        while len(data) < limit and (left := deadline - time.monotonic()) > 0:
            if not poll.poll(left * 1000):
                break
            piece = self.read(pipe)
            if not piece:
                break
            data += piece
        return data
