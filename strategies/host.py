r"""The host drives one strategy through events and does no IO: the sandbox and backtests use the same one.

::

    CREATED --initialize()--> READY --Welcome--> RUNNING <--Pause/Resume--> PAUSED
       \---------------------------\-----------------\------ Stop ----------/--> STOPPED

``handle`` returns the signals of one event. Whatever else the strategy says (log lines, faults,
checkpoints, timers) goes to the ``update`` sink while the event is handled; a ``Saved`` covers the
signals that the same ``handle`` returns, so those are to be sent before it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any, Literal

from bus import session_phases
from bus.messages import (
    Acked,
    Candles,
    Commanded,
    FeedStatus,
    Filled,
    Inspect,
    OrderChanged,
    OrderUpdate,
    Parameters,
    Pause,
    Pulse,
    Resume,
    Schedule,
    Signal,
    Stop,
    TakeCheckpoint,
    Ticks,
    TimerFired,
    Welcome,
)
from bus.session_phases import Phase as SessionPhase
from bus.session_phases import is_phase, phase_of
from strategies import state
from strategies.api import IStrategy, StopReason
from strategies.books import Books
from strategies.calls import Calls
from strategies.checkpoints import Checkpoints
from strategies.checkpoints import Saved as Read
from strategies.config import CAPACITY, StrategyConfig
from strategies.context import Context
from strategies.data import MultiTimeframeData
from strategies.errors import OutOfTurn, StateCorrupt, StateIncompatible
from strategies.in_force import InForce
from strategies.market import Market
from strategies.outputs import Saved, Update
from strategies.phases import NEXT, Event, Phase
from strategies.questions import Questions
from strategies.stamping import Cause
from strategies.wall import ErrorBudget, Wall, one_line


class Host:
    """One strategy, its market view and its books.

    ``on_call`` is told the name of each callback before it runs; ``current`` and ``started`` (monotonic ns)
    say the same to a watchdog; ``more_time`` decides on ``ctx.request_time`` (None: nobody counts, so it is
    always granted); ``updatable`` names the parameters that may change (None: all). ``now`` is event time:
    data and timers move it, verdicts and feed status do not, since their times are the engine's.
    """

    def __init__(
        self,
        strategy: IStrategy,
        config: StrategyConfig,
        *,
        seed: int = 0,
        mode: Literal["backtest", "paper", "live"] | None = None,
        update: Callable[[Update], None] | None = None,
        on_call: Callable[[str], None] | None = None,
        more_time: Callable[[float], bool] | None = None,
        errors_in_a_row: int = 5,
        errors_per_minute: int = 30,
        checkpoint_bytes: int = state.LIMIT,
        capacity: int = CAPACITY,
        updatable: Collection[str] | None = None,
        monotonic: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.strategy = strategy
        self.config = config
        self.phase = Phase.CREATED
        self._update = update or _ignore
        self._books = Books()
        self._data = MultiTimeframeData(config.symbols, config.timeframes, capacity)
        self._wall = Wall(ErrorBudget(errors_in_a_row, errors_per_minute), self._update, on_call, monotonic)
        name = type(strategy).__name__
        self._calls = Calls(name, config.symbols, self._wall, self._books, self._data)
        self.ctx = strategy.ctx = Context(
            deployment_id=config.strategy_id,
            mode=mode or config.trading_mode,
            params=config.parameters,
            books=self._books,
            data=self._data,
            update=self._update,
            more_time=more_time or (lambda _: True),
            seed=seed,
        )
        self.market = Market(strategy, self.ctx, self._calls, self._books, self._data)
        self._in_force = InForce(strategy, self.ctx, self._wall, self._books, updatable)
        self._checkpoints = Checkpoints(
            self.ctx,
            self._calls,
            self._books,
            self._data,
            self.market,
            limit=checkpoint_bytes,
            parameters=self._in_force.kept,
        )
        self._paused: Pause | None = None
        questions = Questions(strategy, self.ctx, wall=self._wall, books=self._books, update=self._update)
        # Naming a callback to the watchdog is a datagram, every fill one or two: not for what nobody wrote.
        self._wrote = {n for n in _OUTCOMES if getattr(type(strategy), n) is not getattr(IStrategy, n)}
        self._handlers: Mapping[type, Callable[[Any], list[Signal]]] = {
            Ticks: self.market.on_ticks,
            Candles: self.market.on_candles,
            Pulse: self._pulse,
            FeedStatus: self._feed_status,
            TimerFired: self._timer,
            Welcome: self._welcome,
            Pause: self._pause,
            Resume: self._resume,
            Stop: self._stop,
            Parameters: self._parameters,
            TakeCheckpoint: self._checkpoint,
            Acked: self._acked,
            Filled: self._filled,
            OrderChanged: self._order_changed,
            Commanded: questions.command,
            Inspect: questions.inspect,
        }

    # ---- what others read -------------------------------------------------------------------------
    @property
    def now(self) -> int:
        """Event time: that of the newest event."""
        return self._books.now

    @property
    def current(self) -> str:
        """Name of the callback that runs, or ``""``."""
        return self._wall.current

    @property
    def started(self) -> int:
        """When it began, monotonic ns."""
        return self._wall.started

    @property
    def errors(self) -> int:
        """Callbacks that raised or returned what they may not."""
        return self._wall.errors

    @property
    def dropped(self) -> dict[str, int]:
        """Signals that did not count, by why: ``warm_up``, ``paused``, ``stopping``."""
        return self._calls.dropped

    # ---- the two doors ----------------------------------------------------------------------------
    def initialize(self) -> None:
        """Call ``initialize``; what it raises is the refusal of this configuration and comes out as it is."""
        if self.phase is not Phase.CREATED:
            raise OutOfTurn(f"initialize in phase {self.phase}")
        self._wall.enter("initialize")
        self.strategy.initialize(self.config)
        self._wall.leave()
        self.phase = Phase.READY

    def handle(self, event: Event) -> list[Signal]:
        """Let the strategy answer one event; return its signals, stamped and checked.

        Raises ``OutOfTurn``, ``TooManyErrors`` and ``StateIncompatible``, and what no wall may hold.
        """
        kind = type(event)
        following = NEXT[self.phase].get(kind)
        if following is None:
            raise OutOfTurn(f"{kind.__name__} in phase {self.phase}")
        signals = self.market.catch_up() if kind in _DATA else []
        signals += self._handlers[kind](event)
        if following is Phase.RUNNING or following is Phase.PAUSED:
            signals += self.market.on_boundaries()
        self.phase = following
        if isinstance(event, Welcome) and event.paused and following is Phase.RUNNING:
            signals += self.handle(self._paused or Pause("paused before the restart"))
        return signals

    # ---- market -----------------------------------------------------------------------------------
    def _feed_status(self, event: FeedStatus) -> list[Signal]:
        self._data.add_status(event)
        return self._calls.ask(
            "on_feed_status", Cause("feed", event.at, event.at), self.strategy.on_feed_status, event
        )

    def _pulse(self, event: Pulse) -> list[Signal]:
        self.market.forward(event.now)
        return []

    def _timer(self, event: TimerFired) -> list[Signal]:
        self.market.forward(event.ts)
        if not self.ctx.timers.fire(event.name, event.ts):
            return []
        if is_phase(event.name):
            return self._session(phase_of(event.name, event.ts))
        cause = Cause("timer", event.ts, event.ts)
        return self._calls.ask("on_timer", cause, self.strategy.on_timer, event.name, event.ts)

    def _session(self, phase: SessionPhase) -> list[Signal]:
        # At one instant a day may close and the next one open: two causes.
        cause = Cause("session", phase.at + phase.rank, phase.at)
        day = date.fromisoformat(phase.day)
        return self._calls.ask("on_session", cause, self.strategy.on_session, phase.name, day)

    # ---- life -------------------------------------------------------------------------------------
    def _welcome(self, event: Welcome) -> list[Signal]:
        books = self._books
        if self.phase is not Phase.READY:  # the engine died and is back: only what is held may be news
            books.welcome(event.positions)
            return []
        books.now = began = min((c.close_time for c in event.warmup), default=event.now)
        books.welcome(event.positions)
        saved: Read | None = None
        loaded = True
        if event.state:
            saved, loaded = self._load(event)
        resumes = event.resumes and saved is not None and saved.host is not None
        books.now = began
        seen = (saved.seen if loaded or resumes else None) if saved is not None else None
        self._calls.barred = "warm_up"
        self.market.warm_up(event.warmup, seen or None, resumes=resumes)
        self._calls.barred = ""
        if saved is not None:
            self._checkpoints.put_back(saved, resumes=resumes, warm=True)
            self._paused = saved.host.paused if saved.host is not None else None
        if "on_session" in self._wrote:
            self._update(Schedule(session_phases.WISH, 0))
        self._calls.tell("on_start", self.strategy.on_start, self.ctx, loaded and event.recovered)
        if saved is not None:
            for timer in self.ctx.timers.restored():
                self._update(timer)
        return []

    def _load(self, event: Welcome) -> tuple[Read, bool]:
        """Load the checkpoint; return what it holds, and whether the strategy took its part of it.

        ``StateIncompatible`` for bytes that are none, and for a strategy that failed on them: half loaded is
        worse than not at all, so neither go on with it nor pretend to start afresh.
        """
        self._wall.enter("load_state")
        try:
            saved = self._checkpoints.read(event.state)
            self._checkpoints.put_back(saved, resumes=event.resumes, warm=False)
        except StateCorrupt as error:
            self._wall.report("load_state", event.now, error)
            raise
        self._wall.leave()
        if event.resumes and saved.host is not None and saved.host.parameters is not None:
            self._in_force.take(saved.host.parameters)
        self._wall.enter("load_state")
        try:
            self.strategy.load_state(saved.own, event.state_version)
        except StateIncompatible as error:  # its own word: what it says it cannot use, it goes without
            self._wall.leave()
            self._wall.report("load_state", event.now, error)
            return saved, False
        except MemoryError:
            raise
        except Exception as error:
            self._wall.report("load_state", event.now, error)
            raise StateIncompatible(
                f"{type(self.strategy).__name__}.load_state: {one_line(error)}"
            ) from error
        self._wall.leave()
        return saved, True

    def _pause(self, event: Pause) -> list[Signal]:
        self._paused = event
        self._calls.barred, self._calls.exits_pass = "paused", event.exit_only
        if self.phase is Phase.RUNNING:
            self._calls.tell("on_pause", self.strategy.on_pause, event.reason)
        return []

    def _resume(self, _: Resume) -> list[Signal]:
        self._paused = None
        self._calls.barred, self._calls.exits_pass = "", False
        if self.phase is Phase.PAUSED:
            self._calls.tell("on_resume", self.strategy.on_resume)
        return []

    def _stop(self, event: Stop) -> list[Signal]:
        self._wall.patient = True  # nothing is left to give up: go on to the end
        signals: list[Signal] = []
        if self.phase in {Phase.RUNNING, Phase.PAUSED}:
            self._calls.barred = "" if event.ask else "stopping"
            cause = Cause("stop", self.now, self.now)
            reason = StopReason(event.reason, event.ask)
            signals = self._calls.ask("on_stop", cause, self.strategy.on_stop, reason)
            self._save()
        self._calls.tell("cleanup", self.strategy.cleanup)
        return signals

    def _parameters(self, event: Parameters) -> list[Signal]:
        self._in_force.take(event.parameters)
        return []

    def _checkpoint(self, _: TakeCheckpoint) -> list[Signal]:
        self._save()
        return []

    def _save(self) -> None:
        def packed() -> bytes:
            return self._checkpoints.pack(self.strategy.save_state(), self._paused)

        # The checkpoint before stays: a strategy that cannot save goes on, and its errors say so.
        saved = self._wall.call("save_state", self.now, packed, forgives=True)
        if saved is not None:
            self._update(Saved(saved, type(self.strategy).state_version))

    # ---- what became of signals -------------------------------------------------------------------
    def _acked(self, event: Acked) -> list[Signal]:
        ack = self._books.judge(event.ack)
        if ack is not None and "on_signal_result" in self._wrote:
            self._calls.tell("on_signal_result", self.strategy.on_signal_result, ack)
        return []

    def _filled(self, event: Filled) -> list[Signal]:
        fill, position = event.fill, event.position
        self.market.forward(fill.at)
        trade = self._books.fill(fill, position, event.left)
        cause = Cause("fill", fill.at, fill.at)
        signals: list[Signal] = []
        if "on_fill" in self._wrote:
            signals += self._calls.ask("on_fill", cause, self.strategy.on_fill, fill, position)
        if trade is not None and "on_position_closed" in self._wrote:
            signals += self._calls.ask("on_position_closed", cause, self.strategy.on_position_closed, trade)
        return signals + self._order_told(event.order)

    def _order_changed(self, event: OrderChanged) -> list[Signal]:
        order = event.order
        if order.status != "working":  # when it was placed is a verdict's time: the engine's
            self.market.forward(order.at)
        self._books.change(order)
        return self._order_told(order)

    def _order_told(self, order: OrderUpdate) -> list[Signal]:
        if "on_order_update" not in self._wrote:
            return []
        cause = Cause("order", order.at, min(order.at, self.now))
        return self._calls.ask("on_order_update", cause, self.strategy.on_order_update, order)


_OUTCOMES = ("on_signal_result", "on_fill", "on_position_closed", "on_order_update", "on_session")
_DATA = frozenset({Ticks, Candles, Pulse, TimerFired})
"""Before these, what closed while the strategy was away is caught up with."""


def _ignore(_: Update) -> None:
    pass
