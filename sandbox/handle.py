"""One cell as the supervisor holds it: its control channel, pidfds, pids, and the limits set on it.

What a warden says is checked like anything from outside: it is trusted, but it talks to a strategy, and one
that was taken over may end its own cell and nothing else. Pids are read from pidfds and never believed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket

import msgspec

from bus.messages import DECODE_ERRORS
from sandbox import channel, spec
from sandbox.confine import limits, process

_decode_report = msgspec.msgpack.Decoder(spec.WardenReport).decode


class CellHandle:
    """One cell. ``receive`` what its warden reports; ``close`` ends it.

    ``slot`` numbers the living cells of a nursery; ``own_tasks`` says whether the kernel counts the tasks of
    this cell apart from those of others, None that it limits them itself (see ``limits``).
    """

    def __init__(
        self, granted: spec.CellSpec, control: socket.socket, slot: int, *, own_tasks: bool | None
    ) -> None:
        self.deployment_id = granted.deployment_id
        self.generation = granted.generation
        self.slot = slot
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
        self._unlimited = ""
        """Why its limits could not be set: then it never ran."""
        self._limits = granted.limits
        self._own_tasks = own_tasks
        self._control = control

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._control.fileno() < 0

    def take_warden(self, pid: int, pidfd: int) -> None:
        """Note the warden; the ``Nursery`` calls this. A handle closed meanwhile keeps no descriptor."""
        self.warden_pid = pid
        if self.closed:
            os.close(pidfd)
            return
        self.warden_pidfd = pidfd
        self._begin()

    def fileno(self) -> int:
        """Descriptor that is readable when ``receive`` has something; -1 once closed."""
        return self._control.fileno()

    def receive(self) -> list[spec.WardenReport]:
        """Return what the warden has reported, [] if nothing; never blocks. See ``gone``."""
        reports: list[spec.WardenReport] = []
        while not self.gone and not self.closed:
            if self._unlimited:
                self.gone = True
                reports.append(spec.Died("error", f"not limited, so not run: {self._unlimited}"))
                break
            try:
                payload, descriptors = channel.receive(self._control, spec.CONTROL_DATAGRAM, 1)
            except BlockingIOError:
                break
            except EOFError:
                self.gone = True
                break
            except OSError as error:  # a datagram that was cut
                return [*reports, self._disown(str(error.strerror))]
            try:
                report = self._understand(payload, descriptors)
            except DECODE_ERRORS as error:
                return [*reports, self._disown(f"{len(payload)} bytes that are no report: {error}")]
            finally:
                channel.close_all(descriptors)
            reports.append(report)
        return reports

    def _understand(self, payload: bytes, descriptors: list[int]) -> spec.WardenReport:
        """Decode a report. A pidfd that is kept is taken out of ``descriptors``."""
        report: spec.WardenReport = _decode_report(payload)
        if not isinstance(report, spec.Born):
            return report
        if self.strategy_pidfd is not None or not descriptors:
            raise msgspec.DecodeError("a birth without a pidfd, or a second one")
        pid = pid_of(descriptors[0])
        self.strategy_pidfd = descriptors.pop()
        self.strategy_pid = pid
        with contextlib.suppress(FileNotFoundError):  # its warden reports the death
            self.start_ticks = process.start_ticks(pid)
        self._begin()
        return spec.Born(pid, self.start_ticks or 0)

    def _begin(self) -> None:
        """Limit both processes once both are known, and let them go on.

        Not the warden before its strategy is forked, which would inherit its limits; and neither after it has
        changed its user: root without CAP_SYS_RESOURCE, as containers have it, may limit its own only.
        """
        if self.warden_pid is None or self.strategy_pid is None:
            return
        refused: list[str] = []
        try:
            with contextlib.suppress(ProcessLookupError):  # a death is told by a pidfd
                refused = limits.apply(self.strategy_pid, self._limits, own_tasks=self._own_tasks)
            with contextlib.suppress(ProcessLookupError):
                limits.apply_to_warden(self.warden_pid, self._limits)
        except PermissionError as error:
            self._unlimited = str(error)
            self.kill()
        else:
            self.order(spec.Begin(refused))

    def _disown(self, why: str) -> spec.WardenReport:
        """End a cell whose warden cannot be trusted any more; return what to say of it."""
        self.kill()
        self.gone = True
        return spec.Died("protocol", f"its warden said {why}"[:4096])

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


def pid_of(pidfd: int) -> int:
    """Return the pid of a pidfd as this process sees it, -1 once gone; ``DecodeError`` if it is none."""
    try:
        return process.pid_of(pidfd)
    except (OSError, ValueError):
        raise msgspec.DecodeError("a descriptor that is no pidfd") from None


def _kill(pidfd: int | None) -> None:
    if pidfd is not None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
