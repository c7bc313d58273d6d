"""Strategies in a program of one's own: the daemon's cells, gate, broker and books, and no daemon.

::

    from bus.messages import Tick
    from supervisor.orchestrator import StrategyOrchestrator

    with StrategyOrchestrator() as orchestrator:
        config = {"strategy_id": "ma", "account_id": "demo", "symbols": ["EURUSD"], "timeframes": ["1m"]}
        orchestrator.load_strategy(config, "moving_average_crossover")
        answers = orchestrator.on_tick(Tick("EURUSD", ts=1_704_067_200_000_000_000, last=1.1))
        print(answers["ma"].verdicts, orchestrator.positions("ma"))

Every strategy is a confined cell of its own, the same as a deployment's (docs/sandbox.md). What the daemon's
engine and supervisor are to a cell, this process is: it speaks the cells' one protocol over their one
transport (``embedding/cell.py``), and asks the same pure core. To embed the engine instead would need a
second process with a journal and a tape on disk, clocks that close candles by themselves, and a guess of when
an answer is complete; to talk to the strategy process without its warden would be a second protocol. Here a
call is one turn of a strategy and ends with its state saved (``embedding/rounds.py``).

Time is that of the data, in ns since 1970: the same calls give the same answers, in any speed. Positions,
orders and latches are kept in memory and end with the orchestrator; whoever needs them to outlive the
process, live trading, or control groups, runs the daemon.

An orchestrator is for the one thread that started it: cells die with it (PR_SET_PDEATHSIG, prctl(2)).
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from msgspec import Struct

from bus.messages import Candle, Candles, Fill, Pause, Position, Resume, Stop, Tick
from sandbox.spec import Budgets, Limits
from strategies.config import StrategyConfig
from strategies.trading.accounts import Money
from strategies.trading.core import Core
from strategies.trading.latches import Latch
from strategies.trading.setup import Setup
from supervisor.embedding import loading
from supervisor.embedding.cells import Cells
from supervisor.embedding.errors import (
    BadData,
    Misused,
    OrchestratorError,
    StrategyDied,
    StrategyRefused,
)
from supervisor.embedding.lives import Lives
from supervisor.embedding.member import Event, Member, State
from supervisor.embedding.quotes import Price, Quotes, checked_candle, checked_tick
from supervisor.embedding.rounds import MARGIN, Answer, Rounds
from supervisor.packages.store import PackageStore
from supervisor.survey import take

__all__ = [
    "Answer", "BadData", "Misused", "OrchestratorError", "State", "StrategyDied", "StrategyOrchestrator",
    "StrategyRefused", "Update",
]  # fmt: skip


class Update(Struct, frozen=True):
    """What new data did: the candles that it closed, in order, and what it filled, of all strategies."""

    closed: list[Candle] = []
    fills: list[Fill] = []


class StrategyOrchestrator:
    """Loads strategies, each into a process that can do nothing but compute and answer, and drives them.

    ``strategies`` are folders to look for them in, beside the built-in ones. ``trading`` has accounts,
    instruments, trading hours, and what trading costs on paper. ``limits`` and ``budgets`` are of each cell;
    ``price`` is what candles are made of. ``setting`` is as ``[sandbox] setting`` of the daemon; ``packages``
    is where what strategies need is installed, nowhere if there is none.

    Every method but the reading ones raises ``Misused`` from another thread than that of ``start``.
    """

    def __init__(
        self,
        *,
        strategies: Sequence[str | Path] = (),
        trading: Setup | None = None,
        limits: Limits | None = None,
        budgets: Budgets | None = None,
        price: Price = "auto",
        setting: str = "auto",
        packages: PackageStore | None = None,
    ) -> None:
        self._folders = tuple(strategies)
        self._limits = limits or Limits()
        self._budgets = budgets or Budgets()
        self._setting = setting
        self._packages = packages
        setup = trading or Setup()
        self._core = Core(setup=setup)
        self._quotes = Quotes(setup.calendar, price)
        self._members: dict[str, Member] = {}
        self._cells = Cells()
        self._rounds = Rounds(self._members, self._cells, self._core, self._quotes)
        self._owner: tuple[int, int] | None = None
        self._lives = Lives(self._cells, self._core, self._budgets)

    # ---- its own life -----------------------------------------------------------------------------
    def start(self) -> None:
        """Find out what this host gives, and start what forks the cells; else ``OrchestratorError``."""
        if self._owner is not None:
            raise Misused("the orchestrator was started before; make another one")
        self._owner = os.getpid(), threading.get_ident()
        self._cells.start(take(self._setting))

    def close(self) -> None:
        """End every cell, without asking; nothing is left behind. Twice is fine. Books can still be read."""
        if self._owner is not None and self._owner[0] == os.getpid():  # a fork of its process owns nothing
            self._cells.close()
        for member in self._members.values():
            member.stopped = True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- strategies -------------------------------------------------------------------------------
    def load_strategy(
        self,
        config: StrategyConfig | Mapping[str, Any],
        name: str | Path,
        *,
        warmup: Sequence[Candle] = (),
        trust: bool = False,
    ) -> str:
        """Start strategy ``name`` (``NAME``, ``NAME@VERSION`` or a path) by ``config``; return its id.

        ``config`` is a ``StrategyConfig`` or a mapping of its fields; ``trading_mode`` is paper. ``warmup``
        are closed candles that it knows before its first call, ascending. ``trust``: the caller answers for
        its code, which then runs with the layers that this host has. ``StrategyRefused`` has every reason;
        ``StrategyDied`` if it could not be loaded, or refused its configuration.
        """
        self._mine()
        checked = loading.read_config(config)
        if checked.strategy_id in self._members:
            raise StrategyRefused(f"strategy_id {checked.strategy_id!r} is in use here")
        known = [checked_candle(candle) for candle in warmup]
        plugin = loading.find(name, self._folders)
        spec = loading.grant(
            checked,
            plugin,
            limits=self._limits,
            budgets=self._budgets,
            trusted=trust,
            packages=self._packages,
        )
        member = Member(spec, plugin, known)
        self._members[member.id] = member
        try:
            self._lives.begin(member, self._now)
        except BaseException:
            del self._members[member.id]
            self._lives.end(member)
            raise
        self._quotes.want(spec.symbols, spec.timeframes)
        self._rounds.timers.reads(member.id, spec.symbols)
        return member.id

    def restart(self, strategy_id: str) -> None:
        """Start a strategy that died or was stopped, from the state in which its last whole call left it.

        Verdicts and fills that it was told since are told again; the data of the call in which it died not.
        """
        self._mine()
        member = self._member(strategy_id)
        if member.state not in {State.DIED, State.STOPPED}:
            raise Misused(f"{strategy_id} is {member.state}: only what died or was stopped is restarted")
        if loading.find(Path(member.plugin.path), ()).code_hash != member.plugin.code_hash:
            raise StrategyRefused(f"{strategy_id}: its code has changed since it was loaded: load it anew")
        self._lives.end(member)
        member.next_generation()
        self._lives.begin(member, self._now)
        if member.paused is not None:
            self._core.direct(*member.instance, "pause", "", exit_only=member.paused.exit_only)
        was = member.checkpoint is not None and member.checkpoint.paused
        if was or member.paused is not None:
            self._told(member, [Resume() if member.paused is None else member.paused])

    # ---- data -------------------------------------------------------------------------------------
    def feed(self, data: Tick | Candle) -> Update:
        """Put a tick into the market, or a closed candle where there are no ticks; no strategy is called.

        It fills orders, lets stops and limits act, and closes candles. Data of all symbols comes in one order
        of time; a tick that is late is in no candle. ``BadData`` if it is none.
        """
        self._mine()
        moved, fills = self._rounds.feed(_checked(data))
        return Update([] if moved is None else moved.closed, fills)

    def on_tick(self, tick: Tick) -> dict[str, Answer]:
        """Put a tick in and call every strategy that runs and reads what it moved; return answers by id.

        Each is told what the daemon would tell it, in that order: the candles that the tick closed, the tick,
        what it filled. They work side by side. One that dies has its ``error`` in its answer, and is not
        called again until ``restart``.
        """
        self._mine()
        moved, _ = self._rounds.feed(checked_tick(tick))
        told: dict[str, list[Event]] = {}
        for member in self._members.values():
            events = [event for event in moved.events if member.reads(event)] if moved else []
            if events and member.state in {State.RUNNING, State.PAUSED}:
                told[member.id] = member.with_fills(events)
        answers = self._rounds.call(told)
        for name, answer in answers.items():
            if answer.error is None:
                self._members[name].had[tick.symbol] = self._quotes.counts[tick.symbol]
        return answers

    def execute_on_tick(self, symbol: str, strategy_id: str) -> Answer:
        """Have one strategy answer the latest tick of ``symbol`` (``feed``), and what that filled.

        Each tick is told once: ``Misused`` for one that it has had. ``StrategyDied`` if it dies of it.
        """
        self._mine()
        member = self._living(strategy_id)
        tick = self._quotes.last.get(symbol)
        if tick is None or not member.reads(tick):
            raise Misused(f"{strategy_id}: no tick of {symbol!r} was fed that it reads")
        if member.had.get(symbol) == self._quotes.counts[symbol]:
            raise Misused(f"{strategy_id} has had the last tick of {symbol}; feed the next one first")
        answer = self._told(member, member.with_fills([tick]))
        member.had[symbol] = self._quotes.counts[symbol]
        return answer

    def execute_on_candle_complete(
        self, symbol: str, timeframe: str, candle: Candle, strategy_id: str
    ) -> Answer:
        """Have one strategy answer a closed candle, one that ``feed`` returned or the caller's own.

        ``StrategyDied`` if it dies of it; ``BadData`` if the candle is none, or of another series.
        """
        self._mine()
        member = self._living(strategy_id)
        good = checked_candle(candle)
        if (good.symbol, good.timeframe) != (symbol, timeframe):
            raise BadData(f"a candle {good.timeframe} of {good.symbol} is none {timeframe} of {symbol}")
        closed = Candles(1, 0, good.close_time, [good])
        if not member.reads(closed):
            raise Misused(f"{strategy_id} reads no {timeframe} of {symbol}")
        return self._told(member, member.unless_paused([closed]))

    # ---- verbs ------------------------------------------------------------------------------------
    def pause_strategy(self, strategy_id: str, reason: str = "", *, exit_only: bool = False) -> None:
        """Bar its signals, but for exits if ``exit_only``; ticks pass it by, candles wait. Idempotent."""
        self._mine()
        member = self._living(strategy_id)
        self._core.direct(*member.instance, "pause", reason, exit_only=exit_only)
        member.paused = Pause(reason, exit_only)
        self._told(member, [member.paused])

    def resume_strategy(self, strategy_id: str) -> Answer:
        """Let it go on: first it is told the candles that it missed, signals barred. Idempotent."""
        self._mine()
        member = self._living(strategy_id)
        self._core.direct(*member.instance, "resume", "", exit_only=False)
        held, member.held, member.paused = member.held, [], None
        return self._told(member, [*held, Resume()])

    def stop_strategy(self, strategy_id: str, reason: str = "", *, ask: bool = False) -> Answer:
        """End it in order: ``on_stop``, whose exits count if ``ask``, its state saved, ``cleanup``.

        What it holds stays in the books. One that has died, or was stopped, is only put away.
        """
        self._mine()
        member = self._member(strategy_id)
        cell, verdicts = member.cell, []
        if cell is not None and member.state in {State.RUNNING, State.PAUSED}:
            self._core.direct(*member.instance, "stop", reason, exit_only=ask)
            cell.command(Stop(reason, ask), numbered=False)
            budgets = self._budgets
            seconds = MARGIN + 2 * budgets.cleanup.hard + budgets.save_state.hard + budgets.extra.capacity
            self._cells.wait(lambda: cell.died is not None, seconds)
            self._rounds.await_last_words(cell)
            verdicts = self._rounds.judge(member, cell)
            member.checkpoint = cell.checkpoint or member.checkpoint
        faults = [] if cell is None else list(cell.faults)
        self._lives.end(member)
        member.stopped = True
        return Answer(verdicts, [], faults)

    def pause_all_strategies(self, account_id: str, reason: str) -> list[str]:
        """Bar every signal for an account until ``rearm``; return the ids of its strategies.

        Those of strategies that are loaded later too. Orders that wait to open or add to a position are
        cancelled; protective exits still act. Idempotent.
        """
        self._mine()
        party = self._core.account(account_id)
        self._rounds.carry_out(self._core.latch(party, "pause", reason, "orchestrator", self._now))
        return [member.id for member in self._members.values() if member.spec.account_id == account_id]

    def rearm(self, account_id: str, reason: str = "") -> bool:
        """Take back what bars an account, a limit that it broke too; whether anything did."""
        self._mine()
        outcome = self._core.rearm(self._core.account(account_id), reason, "orchestrator", self._now)
        self._rounds.carry_out(outcome)
        return bool(outcome.records)

    # ---- reading ----------------------------------------------------------------------------------
    def strategies(self) -> dict[str, State]:
        """Return every strategy that was loaded, and what it is doing."""
        return {name: member.state for name, member in self._members.items()}

    def positions(self, strategy_id: str) -> list[Position]:
        """Return what a strategy holds at the last prices, flat positions with their profit too."""
        return self._core.positions(self._member(strategy_id).id)

    def account(self, account_id: str) -> Money:
        """Return what an account has, in its currency; None where a price, a rate or capital is unknown."""
        return self._core.world.money(self._core.account(account_id))

    def latched(self, account_id: str) -> Latch | None:
        """Return what bars an account."""
        return self._core.latched(self._core.account(account_id))

    def logs(self, strategy_id: str) -> list[str]:
        """Return the last lines that a strategy's present, or last, instance has written.

        They come by a way of their own: what it wrote in its last call may be here a moment later.
        """
        self._mine()
        self._cells.look()
        cell = self._member(strategy_id).cell
        return [] if cell is None else list(cell.log)

    # ---- inside -----------------------------------------------------------------------------------
    def _told(self, member: Member, events: list[Event]) -> Answer:
        answer = self._rounds.call({member.id: events})[member.id]
        if answer.error is not None:
            raise answer.error
        return answer

    @property
    def _now(self) -> int:
        """Event time, that of this machine before there is any data."""
        return self._quotes.now or time.time_ns()

    def _mine(self) -> None:
        if self._owner is None:
            raise Misused("the orchestrator was not started: use it in a with statement")
        if self._owner != (os.getpid(), threading.get_ident()):
            raise Misused("the orchestrator is for the thread that started it, and no other")

    def _member(self, strategy_id: str) -> Member:
        member = self._members.get(strategy_id)
        if member is None:
            known = ", ".join(sorted(self._members)) or "none"
            raise Misused(f"there is no strategy {strategy_id!r} here; there are: {known}")
        return member

    def _living(self, strategy_id: str) -> Member:
        self._cells.look()
        member = self._member(strategy_id)
        cell = member.cell
        if cell is not None and cell.died is not None and not member.stopped:
            raise StrategyDied(member.id, cell.died, tuple(cell.log))
        if member.state not in {State.RUNNING, State.PAUSED}:
            raise Misused(f"{strategy_id} is {member.state}: restart it first")
        return member


def _checked(data: Tick | Candle) -> Tick | Candle:
    return checked_candle(data) if isinstance(data, Candle) else checked_tick(data)
