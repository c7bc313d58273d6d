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
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct

from sandbox import births, channel, spec
from sandbox.confine.attempt import survey as survey_host
from sandbox.confine.survey import Setting, Survey
from sandbox.handle import CellHandle
from sandbox.uids import UidBlock

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/tmp",  # noqa: S108 - a home that everybody has; nothing is written there by us
    # One thread each: a second one would make the zygote's fork unsound, and 100 cells share few cores.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    # Else onnxruntime keeps a device id and sends what it was used for, or tries to.
    "ORT_DISABLE_TELEMETRY": "1",
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


class Nursery:
    """Client of the zygote.

    ``survey`` is what the host gives its cells, found out at the first ``start`` if not given. ``root`` is
    a folder of ours on which the cells' root is mounted, where nobody else sees it; a temporary one if not
    given.
    """

    def __init__(self, survey: Survey | None = None, root: Path | None = None) -> None:
        self.survey = survey
        self._root = root
        self._uids = UidBlock(os.fspath(root or ""))
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._slots: dict[int, CellHandle] = {}
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
        """Start the zygote; ``Awake`` follows from ``read``. Cells asked for before that wait.

        ``NurseryError`` if the folder of the root cannot be made, the host's uids are all taken, or it has
        no room for a process.
        """
        if self._channel is not None:
            raise RuntimeError("the zygote runs already")
        if self.survey is None:
            self.survey = survey_host()
        if self._gives_uids:
            try:
                self._uids.claim()
            except OSError as error:
                raise NurseryError(f"there are no uids for its cells: {error.strerror}") from None
        ground = births.Ground(
            self.survey.setting,
            [layer.name for layer in self.survey.layers if layer.active],
            self._make_root(),
        )
        self._started = time.monotonic()
        try:
            ours = self._open()
        except OSError as error:
            raise NurseryError(error.strerror or str(error)) from None
        with contextlib.suppress(BrokenPipeError):  # it ended already, which ``read`` will tell
            channel.send(ours, births.encode(ground))
        ours.setblocking(False)
        self._channel = ours

    def _open(self) -> socket.socket:
        """Start the process and return our end of its channel. Raises ``OSError``, and then there is none."""
        ours, theirs = channel.pair()
        try:
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
        except OSError:
            ours.close()
            raise
        return ours

    def _make_root(self) -> str:
        if self._root is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="stratd-root-")
            self._root = Path(self._temporary.name)
        try:
            self._root.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise NurseryError(f"the cells' root cannot be made: {self._root}: {error.strerror}") from None
        return str(self._root)

    def fileno(self) -> int:
        """Descriptor that is readable when ``read`` has something; -1 while there is no zygote."""
        return self._channel.fileno() if self._channel else -1

    def spawn(self, granted: spec.CellSpec, groups: Sequence[int] = ()) -> CellHandle:
        """Ask for a cell; ``Forked`` or ``NotForked`` follows from ``read``. Never blocks.

        ``groups`` are descriptors of ``cgroup.procs`` files that the strategy process joins first of all.
        ``NurseryError`` if the zygote is gone or 200 requests behind, the specification too large, or the
        host lacks a layer that untrusted code needs.
        """
        if self._channel is None or self.survey is None:
            raise NurseryError("the zygote is not running")
        if self.survey.refusal and not granted.trusted:
            raise NurseryError(self.survey.refusal)
        payload = spec.encode(granted)
        if len(payload) > spec.CONTROL_DATAGRAM:
            raise NurseryError(
                f"the specification of {granted.deployment_id} is {len(payload)} bytes, "
                f"at most {spec.CONTROL_DATAGRAM} are allowed: give it fewer parameters or symbols"
            )
        ours, theirs = channel.pair()
        ours.setblocking(False)
        cell = self._take_slot(granted, ours)
        self._requests += 1
        request = births.encode_request(self._request(granted, cell.slot))
        try:
            with theirs:
                channel.send(ours, payload)
                channel.send(self._channel, request, [theirs.fileno(), *groups])
        except OSError as error:
            cell.close()
            raise NurseryError(f"the zygote takes no request: {error.strerror}") from None
        self._asked[self._requests] = cell
        return cell

    def _take_slot(self, granted: spec.CellSpec, control: socket.socket) -> CellHandle:
        """Give a cell the lowest number, and with it the uids, that no living one has."""
        self._slots = {slot: cell for slot, cell in self._slots.items() if not cell.closed}
        slot = next(number for number in range(len(self._slots) + 1) if number not in self._slots)
        # The kernel counts tasks by uid and user namespace; that of ``userns`` is yet to be made.
        own_tasks = None if self._setting == "userns" else self._uid_of_strategy(granted, slot) != 0
        cell = self._slots[slot] = CellHandle(granted, control, slot, own_tasks=own_tasks)
        return cell

    def _request(self, granted: spec.CellSpec, slot: int) -> births.Spawn:
        strategy_uid = self._uid_of_strategy(granted, slot)
        return births.Spawn(
            request=self._requests,
            code=granted.stored or granted.code_path,
            packages=granted.packages,
            bus=bus_folder(granted),
            scratch=granted.limits.scratch,
            # Without mounts a warden reaches the engine's sockets as the daemon's own user only.
            warden_uid=strategy_uid - 1 if self._setting == "root" and strategy_uid else 0,
            strategy_uid=strategy_uid,
            tasks=granted.limits.processes if self._setting == "userns" else 0,
        )

    @property
    def _gives_uids(self) -> bool:
        return os.geteuid() == 0 and self.survey is not None and self.survey.has("credentials")

    @property
    def _setting(self) -> Setting | None:
        return self.survey.setting if self.survey is not None else None

    def _uid_of_strategy(self, granted: spec.CellSpec, slot: int) -> int:
        """Return the uid that a strategy gets of a daemon that is root and has some to give away; 0 for none.

        Without mounts it finds its code where that lies. If others may not read it there, and it is no copy
        of ours, it stays root's, without a capability, and Landlock and seccomp alone hold it.
        """
        if not self._gives_uids:
            return 0
        readable = bool(granted.stored) or open_to_all(granted.code_path)
        if self._setting == "root" or (self._setting == "bare" and readable):
            return self._uids.first + 2 * slot + 1
        return 0

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
            case births.Exited(pid=pid, code=code) if pid in self._cells:
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
        self._uids.release()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._root = self._temporary = None

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


def bus_folder(granted: spec.CellSpec) -> str:
    """Return the folder of the engine's sockets: that of both endpoints, ``ipc://FOLDER/NAME``."""
    folders = {
        os.path.dirname(endpoint.removeprefix("ipc://"))  # noqa: PTH120 - a string in, a string out
        for endpoint in (granted.market_endpoint, granted.report_endpoint)
        if endpoint.startswith("ipc:///")
    }
    if len(folders) != 1:
        raise NurseryError(
            f"a cell needs both endpoints in one folder, as ipc:///FOLDER/NAME, not "
            f"{granted.market_endpoint!r} and {granted.report_endpoint!r}"
        )
    return folders.pop()


def open_to_all(path: str) -> bool:
    """Whether any user may read the file or folder at ``path``, by the modes of it and all above it."""
    try:
        modes = [at.stat().st_mode for at in (Path(path), *Path(path).parents)]
    except OSError:
        return False
    return bool(modes[0] & 0o004) and all(mode & 0o001 for mode in modes[1:])
