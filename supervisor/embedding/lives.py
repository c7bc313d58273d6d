"""The beginning and the end of an instance: a cell, and the gate that expects exactly this one."""

from __future__ import annotations

from sandbox.nursery import NurseryError
from sandbox.spec import Budgets, Died
from strategies.trading.core import Core
from supervisor.embedding.cells import Cells
from supervisor.embedding.errors import StrategyDied, StrategyRefused
from supervisor.embedding.member import Member
from supervisor.embedding.rounds import MARGIN


class Lives:
    """Begins and ends instances of strategies."""

    def __init__(self, cells: Cells, core: Core, budgets: Budgets) -> None:
        self._cells = cells
        self._core = core
        self._budgets = budgets

    def begin(self, member: Member, now: int) -> None:
        """Start the next instance of a strategy; return once it is warm. ``now`` is event time.

        ``StrategyRefused`` if there can be no cell, ``StrategyDied`` if it does not come so far.
        """
        try:
            cell = member.cell = self._cells.birth(member.spec, member.welcome(now))
        except (NurseryError, OSError) as error:
            raise StrategyRefused(f"{member.id}: {error}") from None
        self._core.attach(member.grant())
        seconds = MARGIN + 3 * self._budgets.initialize.hard + self._budgets.extra.capacity
        if not self._cells.wait(lambda: cell.live or cell.died is not None, seconds):
            cell.kill()
            cell.ended(Died("start_timeout", f"not warm within {seconds:g} s"))
        if cell.died is not None:
            self._core.detach(*member.instance)
            raise StrategyDied(member.id, cell.died, tuple(cell.log))
        self._core.running(*member.instance)

    def end(self, member: Member) -> None:
        """Expect nothing more of the present instance, and end it if it lives."""
        self._core.detach(*member.instance)
        if member.cell is not None:
            self._cells.bury(member.cell)
