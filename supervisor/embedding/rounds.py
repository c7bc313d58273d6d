"""Calls carried out: strategies are told, answer, are judged, are told what came of it, until all is said.

Several are told at once and work side by side; what they answer is judged in the order in which they were
loaded, so the same calls give the same verdicts, whoever was faster.

How a call knows that it is over: it ends with an order to save, and the state that comes back names the last
message that it covers. Whatever the strategy said before is ahead of that in the same pipe. So nothing is
waited for by the clock, and each call leaves a checkpoint behind from which a restart goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from bus.messages import Candle, Fill, Filled, TakeCheckpoint, Tick, TimerFired
from bus.session_phases import WISH
from sandbox.spec import Died
from strategies.trading.core import Core, Outcome
from strategies.trading.records import Executed, Judged
from supervisor.embedding.cell import Cell
from supervisor.embedding.cells import Cells
from supervisor.embedding.errors import StrategyDied
from supervisor.embedding.member import Event, Member
from supervisor.embedding.quotes import Moved, Quotes
from supervisor.engine.timers import Timers

SECOND: Final = 1_000_000_000
ROUNDS: Final = 20
"""Times that a call goes back to a strategy with what came of its signals. One that answers every verdict
with another signal has what is left at its next call."""
MARGIN: Final = 60.0
"""Seconds beyond what the watchdog of a cell allows: a warden that says nothing so long is no more."""
PARTING: Final = 2.0
"""Seconds that the last signals of a dead strategy get to arrive."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call to one strategy.

    ``verdicts`` are those on its signals, in order: accepted, modified or refused, with the rule. It was
    told of ``fills`` in this call. ``faults`` are exceptions of its callbacks, which end nothing by
    themselves. ``error`` is its death, where others were called beside it.
    """

    verdicts: list[Judged] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    error: StrategyDied | None = None


class Rounds:
    """Carries out calls. ``members`` are all strategies by id, in the order in which they were loaded."""

    def __init__(self, members: Mapping[str, Member], cells: Cells, core: Core, quotes: Quotes) -> None:
        self.timers = Timers()
        self._members = members
        self._cells = cells
        self._core = core
        self._quotes = quotes
        self._pulsed = 0

    # ---- data -------------------------------------------------------------------------------------
    def feed(self, data: Tick | Candle) -> tuple[Moved | None, list[Fill]]:
        """Put checked data in; return what it did to the market, if it was a tick, and all fills."""
        for member in self._members.values():  # what an earlier tick brought about and nobody was told
            member.waiting += member.after
            member.after = []
        if isinstance(data, Candle):
            self._quotes.take_candle(data)
            fills = self.carry_out(self._core.on_bar(data, data.close_time), by_tick=True)
            return None, fills + self._pulse(data.close_time)
        for strategy_id, name, at in self.timers.due(data.symbol, data.ts):
            self._members[strategy_id].waiting.append(TimerFired(name, at))
        moved = self._quotes.take(data)
        fills = self.carry_out(self._core.on_tick(moved.tick, data.ts), by_tick=True)
        return moved, fills + self._pulse(data.ts)

    def _pulse(self, now: int) -> list[Fill]:
        """Do what time alone brings, once a second of the data."""
        if now - self._pulsed < SECOND:
            return []
        self._pulsed = now
        outcome = self._core.pulse(now, lambda symbol: self._quotes.times.get(symbol, now))
        return self.carry_out(outcome, by_tick=True)

    # ---- calls ------------------------------------------------------------------------------------
    def call(self, told: Mapping[str, list[Event]]) -> dict[str, Answer]:
        """Tell strategies, by id, what waits for them and then these events; return what came of it."""
        answers = {name: Answer() for name in told}
        for number in range(ROUNDS):
            batch = {
                name: [*self._members[name].due(), *([] if number else told[name])]
                for name, answer in answers.items()
                if answer.error is None
            }
            batch = {name: events for name, events in batch.items() if events}
            if not batch:
                break
            self._tell(batch)
            for name, events in batch.items():
                answers[name] = self._hear(self._members[name], events, answers[name])
        return answers

    def _tell(self, batch: Mapping[str, list[Event]]) -> None:
        cells: list[Cell] = []
        seconds = MARGIN
        self._cells.look()
        for name, events in batch.items():
            member = self._members[name]
            cell = member.cell
            if cell is None or cell.died is not None:
                continue
            for event in events:
                member.tell(cell, event)
            cell.command(TakeCheckpoint(), numbered=False)
            cells.append(cell)
            budgets = cell.spec.budgets
            longest = max(budgets.candle.hard, budgets.tick.hard) * (len(events) + 1)
            seconds = max(seconds, MARGIN + longest + budgets.save_state.hard + budgets.extra.capacity)
        self._cells.wait(lambda: all(cell.settled or cell.died is not None for cell in cells), seconds)
        for cell in cells:
            if cell.died is None and not cell.settled:
                cell.kill()
                cell.ended(Died("hang", f"its warden gave no answer within {seconds:g} s"))

    def _hear(self, member: Member, told: list[Event], before: Answer) -> Answer:
        """Judge what one strategy answered."""
        cell = member.cell
        if cell is None:
            return before
        if cell.died is not None:
            self.await_last_words(cell)
        verdicts = self.judge(member, cell)
        if cell.settled:
            member.settled(cell, told)
        faults = list(cell.faults)
        cell.faults.clear()
        return Answer(
            [*before.verdicts, *verdicts],
            [*before.fills, *(one.fill for one in told if isinstance(one, Filled))],
            [*before.faults, *faults],
            None if cell.died is None else StrategyDied(member.id, cell.died, tuple(cell.log)),
        )

    def await_last_words(self, cell: Cell) -> None:
        """Give what a dead strategy had said the time to arrive: death comes by another way."""
        self._cells.wait(lambda: cell.parted, PARTING)

    def judge(self, member: Member, cell: Cell) -> list[Judged]:
        """Judge what it has said so far, at the time that its data has reached; arm its timers."""
        verdicts: list[Judged] = []
        while cell.signals:
            signals = cell.signals.popleft().signals
            for (symbol, as_of), group in groupby(signals, key=lambda s: (s.symbol, s.data_as_of)):
                now = max(self._quotes.times.get(symbol, 0), as_of)
                outcome = self._core.on_signals(member.id, cell.spec.generation, list(group), now)
                self.carry_out(outcome)
                verdicts += [one for one in outcome.records if isinstance(one, Judged)]
        while cell.timers:
            timer = cell.timers.popleft()
            if timer.name == WISH:
                continue  # there are no calendars here
            if not self.timers.set(member.id, timer.name, timer.at, timer.every):
                cell.faults.append(f"timer {timer.name!r}: it holds too many already")
        return verdicts

    def carry_out(self, outcome: Outcome | None, *, by_tick: bool = False) -> list[Fill]:
        """Keep what is to be told to each; end whom a flood ends. Return the fills.

        ``by_tick``: it is told behind the tick that did it, as the daemon does.
        """
        if outcome is None:
            return []
        for deployment_id, generation, body in outcome.commands:
            member = self._members.get(deployment_id)
            if member is not None and generation == member.spec.generation:
                (member.after if by_tick else member.waiting).append(body)
        for deployment_id, generation, why in outcome.floods:
            member = self._members.get(deployment_id)
            if member is not None and member.cell is not None and generation == member.spec.generation:
                member.cell.kill()
                member.cell.ended(Died("error", f"flood: {why}"))
        return [record.fill for record in outcome.records if isinstance(record, Executed)]
