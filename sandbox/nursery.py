"""The supervisor's end of the sandbox: starts the zygote, asks it for cells, talks to their wardens.

Nothing here blocks, but for the moment in which a dying zygote is reaped, and nothing knows asyncio: a
``Nursery`` and a ``CellHandle`` have a ``fileno``; watch it for reading and call ``read`` or ``receive``
when it is ready. Death is a readable pidfd.
One process uses this from one thread that lives as long as it does, because the zygote dies with the
*thread* that started it (PR_SET_PDEATHSIG, prctl(2)).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TypeAlias

import msgspec
from msgspec import Struct

from sandbox import births, channel, spec

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",  # noqa: S108 - a home that everybody has; nothing is written there by us
    # One thread each: a second one would make the zygote's fork unsound, and 100 cells share few cores.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONDONTWRITEBYTECODE": "1",
    # The same order of sets in every run: a strategy's signals may not depend on chance.
    "PYTHONHASHSEED": "0",
}
"""The whole environment of zygote, wardens and strategies: nothing of the daemon's (dependencies.md)."""

# Not -I: it would also ignore PYTHONHASHSEED. Of its three parts -s and -P are here, and -E guards
# against an environment that is not ours, which this one is to the last variable.
COMMAND = (sys.executable, "-B", "-s", "-P", "-m", "sandbox.zygote")

LAST_BREATH = 0.5
"""Seconds that a zygote which closed its channel gets to end by itself, so that its code is its own. The
kernel closes descriptors a moment before a death can be seen; an interpreter that exits takes some 30 ms."""

_decode_report = msgspec.msgpack.Decoder(spec.WardenReport).decode


class NurseryError(Exception):
    """No cell can be started now; the text says why."""


class Awake(Struct, frozen=True):
    """The zygote has imported everything and serves, ``took`` seconds after ``start``."""

    took: float


class Forked(Struct, frozen=True):
    """The warden of ``cell`` lives: its ``warden_pid`` and ``warden_pidfd`` are set."""

    cell: CellHandle


class NotForked(Struct, frozen=True):
    """The kernel refused to fork (EAGAIN, ENOMEM): the cell never was, and its handle is closed."""

    cell: CellHandle
    reason: str


class WardenExited(Struct, frozen=True):
    """The zygote reaped a warden: exit code, or minus the signal. 0 is a warden that reported ``Died``."""

    cell: CellHandle
    code: int


class ZygoteGone(Struct, frozen=True):
    """The zygote ended. Living cells go on; ``spawn`` raises until ``start`` is called again.

    ``code`` is its exit code, or minus the signal.
    """

    code: int | None


NurseryReport: TypeAlias = Awake | Forked | NotForked | WardenExited | ZygoteGone


class CellHandle:
    """One cell as the supervisor holds it: control channel, pidfds, pids. ``close`` ends the cell."""

    def __init__(self, granted: spec.CellSpec, control: socket.socket) -> None:
        self.deployment_id = granted.deployment_id
        self.generation = granted.generation
        self.warden_pid: int | None = None
        self.warden_pidfd: int | None = None
        self.strategy_pid: int | None = None
        """Known from ``Born`` on, as ``strategy_pidfd`` and ``start_ticks`` are."""
        self.strategy_pidfd: int | None = None
        self.start_ticks: int | None = None
        self.refusal = ""
        """Why it was never born, "" if it was or may still be (``NotForked``)."""
        self.gone = False
        """The warden closed its end: every report it made has been returned by ``receive``."""
        self._control = control

    def take_warden(self, pid: int, pidfd: int) -> None:
        """Note the warden; the ``Nursery`` calls this. A handle closed meanwhile keeps no descriptor."""
        self.warden_pid = pid
        if self._control.fileno() < 0:
            os.close(pidfd)
        else:
            self.warden_pidfd = pidfd

    def fileno(self) -> int:
        """Descriptor that is readable when ``receive`` has something; -1 once closed."""
        return self._control.fileno()

    def receive(self) -> list[spec.WardenReport]:
        """Return what the warden has reported, [] if nothing; never blocks. See ``gone``."""
        reports: list[spec.WardenReport] = []
        while not self.gone and self._control.fileno() >= 0:
            try:
                payload, descriptors = channel.receive(self._control, spec.CONTROL_DATAGRAM, 1)
            except BlockingIOError:
                break
            except EOFError:
                self.gone = True
                break
            report = _decode_report(payload)
            if isinstance(report, spec.Born) and descriptors:
                self.strategy_pid, self.start_ticks = report.pid, report.start_ticks
                self.strategy_pidfd = descriptors[0]
            reports.append(report)
        return reports

    def order(self, order: spec.WardenOrder) -> bool:
        """Send an order to the warden; False if it is gone or does not read."""
        try:
            channel.send(self._control, spec.encode(order))
        except OSError:
            return False
        return True

    def kill_strategy(self) -> None:
        """Kill (SIGKILL) the strategy alone: its warden lives to report the death and its last words."""
        _kill(self.strategy_pidfd)

    def kill(self) -> None:
        """Kill (SIGKILL) the whole cell now. The strategy also dies with its warden."""
        _kill(self.strategy_pidfd)
        _kill(self.warden_pidfd)

    def close(self) -> None:
        """Close every descriptor. A warden that still lives sees it, kills its strategy and exits."""
        self._control.close()
        channel.close_all([d for d in (self.warden_pidfd, self.strategy_pidfd) if d is not None])
        self.warden_pidfd = self.strategy_pidfd = None


class Nursery:
    """Client of the zygote."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._started = 0.0
        self._requests = 0
        self._asked: dict[int, CellHandle] = {}
        self._cells: dict[int, CellHandle] = {}  # by pid of the warden

    @property
    def pid(self) -> int | None:
        """Pid of the zygote, None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the zygote; ``Awake`` follows from ``read``. Cells asked for before that wait."""
        if self._channel is not None:
            raise RuntimeError("the zygote runs already")
        self._started = time.monotonic()
        ours, theirs = channel.pair()
        with theirs:
            self._process = subprocess.Popen(
                [*COMMAND, str(theirs.fileno()), str(os.getpid())],
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # stderr is the daemon's: a traceback there is a fault of ours
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        ours.setblocking(False)
        self._channel = ours

    def fileno(self) -> int:
        """Descriptor that is readable when ``read`` has something; -1 while there is no zygote."""
        return self._channel.fileno() if self._channel else -1

    def spawn(self, granted: spec.CellSpec) -> CellHandle:
        """Ask for a cell; ``Forked`` or ``NotForked`` follows from ``read``. Never blocks.

        ``NurseryError`` if the zygote is gone or 200 requests behind, or the specification too large.
        """
        if self._channel is None:
            raise NurseryError("the zygote is not running")
        payload = spec.encode(granted)
        if len(payload) > spec.CONTROL_DATAGRAM:
            raise NurseryError(
                f"the specification of {granted.deployment_id} is {len(payload)} bytes, "
                f"at most {spec.CONTROL_DATAGRAM} are allowed: give it fewer parameters or symbols"
            )
        ours, theirs = channel.pair()
        ours.setblocking(False)
        cell = CellHandle(granted, ours)
        self._requests += 1
        try:
            with theirs:
                channel.send(ours, payload)
                channel.send(self._channel, births.encode(births.Spawn(self._requests)), [theirs.fileno()])
        except OSError as error:
            cell.close()
            raise NurseryError(f"the zygote takes no request: {error.strerror}") from None
        self._asked[self._requests] = cell
        return cell

    def read(self) -> list[NurseryReport]:
        """Return what the zygote has reported, [] if nothing; never blocks."""
        reports: list[NurseryReport] = []
        while self._channel is not None:
            try:
                payload, descriptors = channel.receive(self._channel, births.DATAGRAM, 1)
            except BlockingIOError:
                break
            except EOFError:
                reports += self._lose_zygote()
                break
            if (report := self._translate(births.decode_report(payload), descriptors)) is not None:
                reports.append(report)
        return reports

    def _translate(self, report: births.ZygoteReport, descriptors: list[int]) -> NurseryReport | None:
        match report:
            case births.Awake():
                return Awake(time.monotonic() - self._started)
            case births.Forked(request=request, pid=pid):
                cell = self._asked.pop(request)
                self._cells[pid] = cell
                cell.take_warden(pid, descriptors[0])
                return Forked(cell)
            case births.NotForked(request=request, reason=reason):
                return _refused(self._asked.pop(request), reason)
            case births.Exited(pid=pid, code=code):
                return WardenExited(self._cells.pop(pid), code)
        return None

    def _lose_zygote(self) -> list[NurseryReport]:
        """Forget the zygote; a request that it never answered failed."""
        unborn = list(self._asked.values())
        self._asked.clear()
        self._cells.clear()
        code = self._end_zygote(LAST_BREATH)
        return [
            *(_refused(cell, "the zygote ended before it could fork") for cell in unborn),
            ZygoteGone(code),
        ]

    def close(self) -> None:
        """End the zygote. Cells live on until their handles are closed."""
        self._end_zygote(0)

    def _end_zygote(self, patience: float) -> int | None:
        """Forget the zygote and reap it, by force if it does not end within ``patience`` seconds."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        process, self._process = self._process, None
        if process is None:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(patience)
        process.kill()
        return process.wait()


def _refused(cell: CellHandle, reason: str) -> NotForked:
    cell.refusal = reason
    cell.close()
    return NotForked(cell, reason)


def _kill(pidfd: int | None) -> None:
    if pidfd is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
