"""Cells through the API of the ``multiprocess`` package: ``start join is_alive pid sentinel exitcode``.

For scripts and notebooks that manage processes themselves; the daemon talks to ``sandbox.nursery``. Only
the package's Process class is used. Its own ways to start a process would put this process' memory, or
its environment, into the child (docs/sandbox.md), and unpickle there before anything confines it.
"""

from __future__ import annotations

import os
import select
import time
from types import TracebackType
from typing import Any, Self

from multiprocess.context import BaseContext
from multiprocess.process import BaseProcess

from sandbox.handle import CellHandle
from sandbox.nursery import Nursery, NurseryError
from sandbox.spec import CellSpec, Died, Terminate, WardenReport

BIRTH = 30.0
"""Seconds from ``start`` until the strategy process must exist; the first one waits for the zygote."""
TERMINATE_GRACE = 5.0
"""Seconds that ``terminate`` leaves for an orderly stop (``Budgets.cleanup.hard``)."""


class CellProcess(BaseProcess):  # type: ignore[misc] # the package has no types
    """A deployment's strategy as a ``Process``. Made by ``CellContext.Process``.

    ``exitcode`` is None while it lives, then the strategy's exit status, or minus the signal. ``reports``
    holds what its warden has said, read whenever the process is asked about.
    """

    def __init__(self, spec: CellSpec, *, nursery: Nursery, name: str | None = None) -> None:
        # daemon: it ends with this process in any case, so nobody waits for it at the end.
        super().__init__(name=name or spec.username, daemon=True)
        self.spec = spec
        self.nursery = nursery
        self.reports: list[WardenReport] = []

    def abandon(self) -> None:
        """End the cell at once, if it was started, and let go of it."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.close()

    @staticmethod
    def _Popen(process: CellProcess) -> _CellPopen:  # noqa: N802 - the package's name for it
        return _CellPopen(process)


class _CellPopen:
    """What the package's ``Process`` expects of whoever starts it."""

    method = "cell"

    def __init__(self, process: CellProcess) -> None:
        self.returncode: int | None = None
        self._reports = process.reports
        self._nursery = process.nursery
        self._cell: CellHandle = process.nursery.spawn(process.spec)
        self._await_birth()
        self.pid = self._cell.strategy_pid
        self.sentinel = self._cell.warden_pidfd

    def _await_birth(self) -> None:
        deadline = time.monotonic() + BIRTH
        cell = self._cell
        while cell.strategy_pid is None or cell.warden_pidfd is None:
            self._wait_for([self._nursery.fileno(), cell.fileno()], deadline - time.monotonic())
            self._nursery.read()
            self._reports += cell.receive()
            if cell.refusal or cell.gone or time.monotonic() > deadline:
                cell.kill()
                cell.close()
                raise NurseryError(cell.refusal or f"{cell.deployment_id} was not born within {BIRTH:g} s")

    @staticmethod
    def _wait_for(descriptors: list[int], timeout: float | None) -> None:
        poll = select.poll()
        for descriptor in descriptors:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        poll.poll(None if timeout is None else max(0.0, timeout) * 1000)

    def poll(self, _flag: int = os.WNOHANG) -> int | None:
        """Return the exit code, None while the cell lives. Reads what its warden has said."""
        self._reports += self._cell.receive()
        if self.returncode is None and self._cell.gone:
            self.returncode = _exit_code(self._reports)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end, reading reports meanwhile; None after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._wait_for([self._cell.fileno()], left)
        return self.returncode

    def terminate(self) -> None:
        """Stop in order, within ``TERMINATE_GRACE`` seconds."""
        self._cell.order(Terminate("terminate()", TERMINATE_GRACE))

    def kill(self) -> None:
        """End it now; its warden lives to say so."""
        self._cell.kill_strategy()

    def close(self) -> None:
        """Close every descriptor; what still lives ends."""
        self._cell.close()


def _exit_code(reports: list[WardenReport]) -> int:
    """Return the strategy's exit code in the package's terms; -9 if its warden could not report one."""
    for report in reversed(reports):
        if isinstance(report, Died):
            if report.signal is not None:
                return -report.signal
            return 0 if report.exit_code is None else report.exit_code
    return -9


class CellContext(BaseContext):  # type: ignore[misc] # the package has no types
    """A context of the package whose processes are cells. ``with`` starts and ends its zygote."""

    _name = "cell"

    def __init__(self) -> None:
        self._nursery = Nursery()
        self._processes: list[CellProcess] = []

    def Process(self, spec: CellSpec, *, name: str | None = None) -> CellProcess:  # noqa: N802 - their name
        """Return the cell of ``spec``, not started. There is no ``target``: a cell runs a strategy."""
        process = CellProcess(spec, nursery=self._nursery, name=name)
        self._processes.append(process)
        return process

    def get_start_method(self, allow_none: bool = False) -> str:  # noqa: ARG002 - the package's signature
        """Return ``"cell"``."""
        return self._name

    def start(self) -> None:
        """Start the zygote."""
        self._nursery.start()

    def close(self) -> None:
        """End the cells that still live, then the zygote."""
        for process in self._processes:
            process.abandon()
        self._processes.clear()
        self._nursery.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> Any:
        raise TypeError("a context with a zygote cannot be pickled")
