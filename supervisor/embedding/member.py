"""One strategy of an orchestrator: what outlives its instances, and what it is still to be told. No IO.

What it was told and has not saved, a restart tells it again (``unsaved``): verdicts, fills and timers are not
lost. The data of the call in which it died is not among that: whether to repeat it is the caller's word.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from bus import topics
from bus.messages import (
    Acked,
    Candle,
    Candles,
    Checkpoint,
    CommandBody,
    Filled,
    OrderChanged,
    Pause,
    Tick,
    Ticks,
    TimerFired,
    Welcome,
)
from sandbox.spec import CellSpec
from strategies.plugins import Found
from strategies.trading.core import Grant
from supervisor.embedding.cell import EPOCH, TAPE, Cell

Event: TypeAlias = Tick | Candles | CommandBody
KEPT = 500
"""Candles of each series that a restart warms up with, where the strategy asks for fewer."""


class State(StrEnum):
    """What a strategy is doing now."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DIED = "died"


class Series(Struct, frozen=True):
    """Names one series of candles."""

    symbol: str
    timeframe: str


class Member:
    """A strategy that was loaded. ``cell`` is its present instance, which may have died."""

    def __init__(self, spec: CellSpec, plugin: Found, warmup: list[Candle]) -> None:
        self.spec = spec
        self.plugin = plugin
        self.cell: Cell | None = None
        self.stopped = False
        self.paused: Pause | None = None
        self.checkpoint: Checkpoint | None = None
        self.waiting: list[CommandBody] = []
        """What it is to be told before anything else."""
        self.after: list[CommandBody] = []
        """What the last tick brought about: it is told behind that tick."""
        self.held: list[Candles] = []
        """Candles that closed while it was paused: they come first when it goes on."""
        self.unsaved: list[CommandBody] = []
        self.had: dict[str, int] = {}
        """Number of the last tick of each symbol that it has had."""
        kept = max(KEPT, plugin.warmup)
        self._history: dict[Series, deque[Candle]] = {
            Series(symbol, timeframe): deque(maxlen=kept)
            for symbol in spec.symbols
            for timeframe in spec.timeframes
        }
        self._note(warmup)

    @property
    def id(self) -> str:
        """Its id, which is that of its deployment in the books."""
        return self.spec.deployment_id

    @property
    def instance(self) -> tuple[str, int]:
        """Its id, and the generation of its present instance."""
        return self.spec.deployment_id, self.spec.generation

    @property
    def state(self) -> State:
        """What it is doing now."""
        if self.stopped:
            return State.STOPPED
        if self.cell is None or self.cell.died is not None:
            return State.DIED
        return State.RUNNING if self.paused is None else State.PAUSED

    @property
    def topics(self) -> list[str]:
        """The topics whose messages are numbered."""
        market = [make(symbol) for symbol in self.spec.symbols for make in (topics.tick, topics.candle)]
        return [topic.decode() for topic in (*market, topics.cell(self.id))]

    def reads(self, event: Tick | Candles) -> bool:
        """Whether data is of a symbol, and of a timeframe, of its own."""
        if isinstance(event, Tick):
            return event.symbol in self.spec.symbols
        return any(Series(one.symbol, one.timeframe) in self._history for one in event.candles)

    def grant(self) -> Grant:
        """Return what the core is told of its present instance: the identity of all its signals."""
        spec = self.spec
        return Grant(
            deployment_id=spec.deployment_id,
            generation=spec.generation,
            strategy=spec.strategy,
            version=spec.version,
            code_hash=self.plugin.code_hash,
            account_id=spec.account_id,
            trading_mode=spec.trading_mode,
            symbols=spec.symbols,
            timeframes=spec.timeframes,
            risk=spec.risk,
        )

    def welcome(self, now: int) -> Welcome:
        """Return the first word to its next instance: it begins, or goes on from its last checkpoint."""
        warmup = sorted((c for kept in self._history.values() for c in kept), key=_order)
        fresh = Welcome(
            epoch=EPOCH, now=now, warmup=warmup, position=dict.fromkeys(self.topics, 0), tape=TAPE
        )
        saved = self.checkpoint
        if saved is None:
            return fresh
        return replace(
            fresh,
            position={**fresh.position, **saved.position},
            state=saved.state,
            state_version=saved.state_version,
            recovered=True,
            resumes=True,
            at=saved.at,
            paused=saved.paused,
        )

    def next_generation(self) -> None:
        """Be about to have another instance, which is told again what the one before has not saved."""
        self.spec = replace(self.spec, generation=self.spec.generation + 1)
        again = [body for body in self.unsaved if isinstance(body, AGAIN)]
        self.waiting = [*again, *self.waiting]
        self.unsaved = []
        self.stopped = False

    # ---- telling ----------------------------------------------------------------------------------
    def due(self) -> list[CommandBody]:
        """Return what waits, which is then told."""
        waiting, self.waiting = self.waiting, []
        return waiting

    def with_fills(self, events: Sequence[Event]) -> list[Event]:
        """Return what it is told of a tick now, and behind that what the tick brought about."""
        after, self.after = self.after, []
        return [*self.unless_paused(events), *after]

    def unless_paused(self, events: Sequence[Event]) -> list[Event]:
        """Return what it is told now: what comes in a pause is not, candles wait for its end."""
        if self.paused is None:
            return list(events)
        self.held += [event for event in events if isinstance(event, Candles)]
        return []

    def tell(self, cell: Cell, event: Event) -> None:
        """Send one event to its instance."""
        if isinstance(event, Tick):
            topic = topics.tick(event.symbol)
            cell.tell(topic, Ticks(EPOCH, cell.number(topic), [event]))
        elif isinstance(event, Candles):
            topic = topics.candle(event.candles[0].symbol)
            cell.tell(topic, replace(event, epoch=EPOCH, seq=cell.number(topic)))
        else:
            self.unsaved.append(event)
            cell.command(event)

    def settled(self, cell: Cell, told: list[Event]) -> None:
        """Take note that it has had, and saved, all of it."""
        self.checkpoint = cell.checkpoint
        self.unsaved.clear()
        self._note([one for event in told if isinstance(event, Candles) for one in event.candles])

    def _note(self, candles: list[Candle]) -> None:
        for candle in candles:
            kept = self._history.get(Series(candle.symbol, candle.timeframe))
            if kept is not None:
                kept.append(candle)


AGAIN = Acked | Filled | OrderChanged | TimerFired
"""What is told again. Whether it is paused its checkpoint knows, and the orchestrator says it anew."""


def _order(candle: Candle) -> tuple[int, int, str]:
    return candle.close_time, candle.close_time - candle.open_time, candle.symbol
