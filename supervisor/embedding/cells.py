"""The cells of one process, and what they need: a private folder, a zygote, one poll over everything.

The zygote dies with the thread that started it (PR_SET_PDEATHSIG, prctl(2)), and every cell with its end of
the control channel: whatever becomes of the embedding process, nothing of this outlives it.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable

from msgspec.structs import replace

from bus.messages import Welcome
from bus.sockets import Gatekeeper, Hub
from sandbox.confine.survey import Survey
from sandbox.nursery import NotForked, Nursery, NurseryError
from sandbox.spec import CellSpec, Died
from supervisor.embedding.cell import Cell
from supervisor.embedding.errors import OrchestratorError
from supervisor.embedding.folder import PrivateFolder

STEP = 0.5
"""Seconds after which a wait looks at its deadline."""


class Cells:
    """Opened by ``start``, all gone after ``close``."""

    def __init__(self) -> None:
        self._folder = PrivateFolder()
        self._cells: list[Cell] = []
        self._born = 0
        self._hub: Hub | None = None
        self._nursery: Nursery | None = None
        self._gate: Gatekeeper | None = None

    def start(self, survey: Survey) -> None:
        """Start the zygote. ``OrchestratorError`` if it cannot be; then everything is closed again."""
        try:
            with contextlib.ExitStack() as cleanup_on_fail:
                cleanup_on_fail.callback(self.close)
                self._folder.open()
                hub = self._hub = Hub()
                gate = self._gate = Gatekeeper(hub, self._admit)
                hub.watch(gate, gate.answer)
                self._begin(survey)
                cleanup_on_fail.pop_all()
        except (OSError, NurseryError) as error:
            raise OrchestratorError(f"no cell can be started here: {error}") from None

    def _begin(self, survey: Survey) -> None:
        nursery = self._nursery = Nursery(survey, self._folder.path / "root")
        nursery.start()
        self._watch(nursery)

    def _watch(self, nursery: Nursery) -> None:
        if self._hub is not None:
            self._hub.watch(nursery.fileno(), self._hear_zygote)

    def birth(self, granted: CellSpec, welcome: Welcome) -> Cell:
        """Ask for a cell; its endpoints and its token are made here. ``NurseryError``, ``OSError``."""
        hub, nursery = self._hub, self._nursery
        if hub is None or nursery is None:
            raise NurseryError("the orchestrator is closed")
        if nursery.fileno() < 0:  # its zygote died: the cells of before live on, the next have a new one
            nursery.start()
            self._watch(nursery)
        self._born += 1
        folder = self._folder.path / f"cell-{self._born}"
        spec = replace(
            granted,
            market_endpoint=f"ipc://{folder}/market",
            report_endpoint=f"ipc://{folder}/reports",
            token=secrets.token_hex(16),
        )
        cell = Cell(hub, spec, folder, welcome)
        self._cells.append(cell)
        try:
            cell.open(nursery)
        except (OSError, NurseryError):
            self.bury(cell)
            raise
        return cell

    def bury(self, cell: Cell) -> None:
        """End a cell and forget it."""
        cell.close()
        if cell in self._cells:
            self._cells.remove(cell)

    def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Take in whatever comes, until ``condition``; whether it came true within ``seconds``."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0 or self._hub is None:
                return False
            self._hub.wait(min(STEP, left))
        return True

    def look(self) -> None:
        """Take in what has come."""
        if self._hub is not None:
            self._hub.wait(0)

    def close(self) -> None:
        """End every cell and the zygote, and remove the folder. Twice is fine."""
        for cell in list(self._cells):
            self.bury(cell)
        if self._nursery is not None:
            self._nursery.close()
        if self._gate is not None:
            self._gate.close()
        if self._hub is not None:
            self._hub.close()
        self._hub = self._nursery = self._gate = None
        self._folder.close()

    def _admit(self, user: str, token: str) -> bool:
        return any(cell.admits(user, token) for cell in self._cells)

    def _hear_zygote(self) -> None:
        nursery, hub = self._nursery, self._hub
        if nursery is None or hub is None:
            return
        # While it is open: a descriptor that its owner closes cannot be taken out of the poll any more.
        hub.unwatch(nursery.fileno())
        for report in nursery.read():
            match report:
                case NotForked(cell=handle, reason=reason):
                    for cell in self._cells:
                        if cell.holds(handle):
                            cell.ended(Died("unknown", f"it could not be forked: {reason}"[:4096]))
                case _:  # the end of its control channel tells of a warden, and ``birth`` sees to a zygote
                    pass
        if nursery.fileno() >= 0:
            self._watch(nursery)
