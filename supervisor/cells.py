"""The living cells, inside the daemon's loop: descriptors of the nursery in, three callbacks out.

Rules of this file. Nothing polls: the zygote's channel, each cell's control channel and each pidfd are
readers of the loop. A cell is over when its warden closed the channel (so every report was read) AND the
pidfds of warden and strategy are readable; only then ``on_ended`` is called, once. A zygote that dies is
started again; cells that live go on without it, and cells that were asked for wait for the next one: it is
no fault of theirs. What is not known of a death is said to be unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from sandbox import nursery
from sandbox.handle import CellHandle
from sandbox.signames import signal_name
from sandbox.spec import CellSpec, Died, Terminate, WardenOrder, WardenReport

RESTART_FIRST = 0.05
RESTART_CAP = 5.0
"""Seconds before a dead zygote is started again: doubled each time, until one awakes."""


UNBORN = "ended before it was born"
EXIT_CODE_PATIENCE = 0.25
"""Seconds that the zygote gets to say how a warden ended that did not report a death."""


class NurseryPort(Protocol):
    """What is used of ``sandbox.nursery.Nursery``; tests bring a fake of the same shape."""

    @property
    def pid(self) -> int | None:
        """Pid of the zygote."""
        ...

    def start(self) -> None:
        """Start the zygote."""
        ...

    def fileno(self) -> int:
        """Descriptor to watch."""
        ...

    def spawn(self, granted: CellSpec, groups: Sequence[int] = ()) -> CellHandle:
        """Ask for a cell that joins ``groups``."""
        ...

    def read(self) -> list[nursery.NurseryReport]:
        """Return what the zygote has said."""
        ...

    def close(self) -> None:
        """End the zygote."""
        ...


class CellListener(Protocol):
    """Who is told what becomes of the cells."""

    def on_report(self, deployment_id: str, generation: int, report: WardenReport) -> None:
        """Take what a warden said (``Died`` is kept for ``on_ended``)."""
        ...

    def on_ended(self, deployment_id: str, generation: int, died: Died) -> None:
        """Take note that both processes are gone."""
        ...

    def on_zygote(self, *, awake: bool, detail: str) -> None:
        """Take note that the zygote serves, or ended."""
        ...


Joining: TypeAlias = Callable[[CellSpec], AbstractContextManager[list[int]]]
"""Makes the control groups of a cell; yields descriptors by which it joins them (``enforcers.Enforcers``)."""


def _no_groups(_granted: CellSpec) -> AbstractContextManager[list[int]]:
    return contextlib.nullcontext([])


class _Cell:
    """A handle, what was watched of it, and the death that its warden reported."""

    def __init__(self, granted: CellSpec, handle: CellHandle) -> None:
        self.granted = granted
        self.handle = handle
        self.watched: set[int] = set()
        self.died: Died | None = None
        self.code: int | None = None
        self.awaited = False


class Cells:
    """Owns the nursery and every cell handle."""

    def __init__(self, nest: NurseryPort, listener: CellListener, joining: Joining = _no_groups) -> None:
        self._nest = nest
        self._listener = listener
        self._joining = joining
        self._cells: dict[tuple[str, int], _Cell] = {}
        self._waiting: dict[tuple[str, int], CellSpec] = {}
        """Asked for while there was no zygote."""
        self._delay = RESTART_FIRST
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self.zygote_starts = 0

    @property
    def zygote_pid(self) -> int | None:
        """Pid of the zygote, None while there is none."""
        return self._nest.pid

    def start(self) -> None:
        """Start the zygote. Cells may be asked for at once."""
        self._timer = None
        self.zygote_starts += 1
        self._nest.start()
        asyncio.get_running_loop().add_reader(self._nest.fileno(), self._read_nursery)
        waiting, self._waiting = self._waiting, {}
        for granted in waiting.values():
            try:
                self.spawn(granted)
            except nursery.NurseryError as error:
                died = Died("unknown", str(error))
                self._listener.on_ended(granted.deployment_id, granted.generation, died)

    def spawn(self, granted: CellSpec) -> None:
        """Ask for a cell, now or as soon as there is a zygote. Raises ``NurseryError`` if it cannot be."""
        if self._nest.fileno() < 0:
            self._waiting[granted.deployment_id, granted.generation] = granted
            return
        with self._joining(granted) as groups:
            handle = self._nest.spawn(granted, groups)
        cell = self._cells[handle.deployment_id, handle.generation] = _Cell(granted, handle)
        self._watch(cell, handle.fileno(), lambda: self._read_cell(cell))

    def order(self, deployment_id: str, generation: int, order: WardenOrder) -> bool:
        """Send an order to a warden; False if there is none or it does not take it."""
        if isinstance(order, Terminate) and self._give_up(deployment_id, generation):
            return True
        cell = self._cells.get((deployment_id, generation))
        return cell is not None and cell.handle.order(order)

    def abort(self, deployment_id: str, generation: int) -> None:
        """SIGABRT to the strategy: faulthandler writes the Python stack to the warden's pipe."""
        cell = self._cells.get((deployment_id, generation))
        if cell is not None and cell.handle.strategy_pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(cell.handle.strategy_pidfd, signal.SIGABRT)

    def kill(self, deployment_id: str, generation: int, *, whole: bool) -> None:
        """SIGKILL to the strategy, or to the whole cell (also where no strategy is known yet)."""
        if self._give_up(deployment_id, generation):
            return
        cell = self._cells.get((deployment_id, generation))
        if cell is None:
            return
        if not whole and cell.handle.strategy_pidfd is not None:
            cell.handle.kill_strategy()
            return
        cell.handle.kill()
        if cell.handle.warden_pidfd is None:
            # Not forked yet, and nothing to signal: its warden will find the channel closed and exit.
            self._over(cell, Died("operator", UNBORN))

    def _give_up(self, deployment_id: str, generation: int) -> bool:
        """Drop a cell that still waits for a zygote; whether there was one."""
        if self._waiting.pop((deployment_id, generation), None) is None:
            return False
        self._listener.on_ended(deployment_id, generation, Died("operator", UNBORN))
        return True

    def pid(self, deployment_id: str, generation: int) -> int | None:
        """Pid of the strategy, None before it is born."""
        cell = self._cells.get((deployment_id, generation))
        return None if cell is None else cell.handle.strategy_pid

    def warden_pid(self, deployment_id: str, generation: int) -> int | None:
        """Pid of the warden, None before it is forked."""
        cell = self._cells.get((deployment_id, generation))
        return None if cell is None else cell.handle.warden_pid

    def pids(self) -> set[int]:
        """Return the pids of every process of every cell."""
        handles = [cell.handle for cell in self._cells.values()]
        return {pid for one in handles for pid in (one.warden_pid, one.strategy_pid) if pid is not None}

    def stop(self) -> None:
        """Let go of everything: a cell that still lives dies with its control channel."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        for cell in list(self._cells.values()):
            self._unwatch(cell)
            cell.handle.kill()
            cell.handle.close()
        self._cells.clear()
        self._waiting.clear()
        if self._nest.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._nest.fileno())
        self._nest.close()

    # ---- the zygote -----------------------------------------------------------------------------
    def _read_nursery(self) -> None:
        watched = self._nest.fileno()
        reports = self._nest.read()
        lost = any(isinstance(report, nursery.ZygoteGone) for report in reports)
        for report in reports:
            match report:
                case nursery.Awake(took=took):
                    self._delay = RESTART_FIRST
                    self._listener.on_zygote(awake=True, detail=f"awake after {took:.2f} s")
                case nursery.Forked(cell=handle):
                    self._forked(handle)
                case nursery.NotForked(cell=handle, reason=reason):
                    self._not_forked(handle, reason, again=lost)
                case nursery.WardenExited(cell=handle, code=code):
                    if cell := self._cells.get((handle.deployment_id, handle.generation)):
                        cell.code = code
                        self._settle(cell)
                case nursery.ZygoteGone(code=code):
                    self._lost_zygote(watched, code)

    def _forked(self, handle: CellHandle) -> None:
        cell = self._cells.get((handle.deployment_id, handle.generation))
        if cell is None:  # given up before it was born
            handle.kill()
            handle.close()
        elif handle.warden_pidfd is not None:
            self._watch(cell, handle.warden_pidfd, lambda: self._settle(cell))

    def _not_forked(self, handle: CellHandle, reason: str, *, again: bool) -> None:
        key = (handle.deployment_id, handle.generation)
        cell = self._cells.get(key)
        if cell is not None and again:
            self._unwatch(cell)
            del self._cells[key]
            self._waiting[key] = cell.granted
        elif cell is not None:
            self._over(cell, Died("unknown", f"the process could not be started: {reason}"))

    def _lost_zygote(self, watched: int, code: int | None) -> None:
        loop = asyncio.get_running_loop()
        if watched >= 0:
            loop.remove_reader(watched)
        if self._stopping:
            return
        self._start_later()
        self._listener.on_zygote(awake=False, detail=f"ended with code {code}")

    def _start_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._delay, self._start_again)
        self._delay = min(RESTART_CAP, self._delay * 2)

    def _start_again(self) -> None:
        try:
            self.start()
        except nursery.NurseryError as error:  # no memory, process or descriptor to spare: there will be
            self._start_later()
            self._listener.on_zygote(awake=False, detail=f"could not be started ({error})")

    # ---- one cell -------------------------------------------------------------------------------
    def _watch(self, cell: _Cell, descriptor: int, call: Callable[[], None]) -> None:
        if descriptor not in cell.watched:
            cell.watched.add(descriptor)
            asyncio.get_running_loop().add_reader(descriptor, call)

    def _unwatch(self, cell: _Cell, *descriptors: int) -> None:
        loop = asyncio.get_running_loop()
        for descriptor in descriptors or tuple(cell.watched):
            loop.remove_reader(descriptor)
            cell.watched.discard(descriptor)

    def _read_cell(self, cell: _Cell) -> None:
        handle = cell.handle
        for report in handle.receive():
            if isinstance(report, Died):
                cell.died = report
            else:
                self._listener.on_report(handle.deployment_id, handle.generation, report)
        if handle.strategy_pidfd is not None:
            self._watch(cell, handle.strategy_pidfd, lambda: self._settle(cell))
        if handle.gone:
            self._unwatch(cell, handle.fileno())
            self._settle(cell)

    def _settle(self, cell: _Cell) -> None:
        """Find out whether the cell is over; a pidfd stays readable, so it is unwatched once it was."""
        handle = cell.handle
        if self._cells.get((handle.deployment_id, handle.generation)) is not cell:
            return
        alive = False
        for pidfd in (handle.warden_pidfd, handle.strategy_pidfd):
            if pidfd is not None:
                if _readable(pidfd):
                    self._unwatch(cell, pidfd)
                else:
                    alive = True
        if alive or not handle.gone or handle.warden_pidfd is None:
            return
        if cell.died is None and cell.code is None and self._nest.pid is not None and not cell.awaited:
            # A warden that went without a word: the zygote knows how, and says so in a moment.
            cell.awaited = True
            asyncio.get_running_loop().call_later(EXIT_CODE_PATIENCE, self._settle, cell)
        else:
            self._over(cell, cell.died or _unexplained(cell.code))

    def _over(self, cell: _Cell, died: Died) -> None:
        handle = cell.handle
        self._unwatch(cell)
        del self._cells[handle.deployment_id, handle.generation]
        if handle.warden_pidfd is not None:
            # A warden whose zygote died first became our child (subreaper); else this is not ours to reap.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, handle.warden_pidfd, os.WEXITED | os.WNOHANG)
        handle.close()
        self._listener.on_ended(handle.deployment_id, handle.generation, died)


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _unexplained(code: int | None) -> Died:
    """Account for a warden that went without a word: the strategy died with it (PR_SET_PDEATHSIG)."""
    if code is not None and code < 0:
        return Died("signal", f"its warden was ended by {signal_name(-code)}", signal=-code)
    told = "" if code is None else f" with code {code}"
    return Died("unknown", f"its warden ended{told} without a report", exit_code=code)
