"""What operators ask of one strategy while it runs: a command, its own words, a checkpoint.

Rules of this file. The engine passes a question on and its answer back; here it is only waited for, and not
for long. What comes back was written by a stranger's code: it is read as bounded JSON and is nothing else.
Where no answer came nobody knows whether a command was done, and that is what is said.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from strategies import json_values
from strategies.errors import JsonRefused
from supervisor.actor import Actor
from supervisor.asking import Asking, Terms
from supervisor.cell_control import CellAnswered, CommandCell, InspectCell, SaveCell
from supervisor.control import EngineOrder
from supervisor.engine_client import EngineClient
from supervisor.errors import Failed, Invalid, Late, Unavailable
from supervisor.events import EventLog
from supervisor.life import State
from supervisor.news import News

AT_ONCE: Final = 16
"""Questions to one strategy that may wait for their answers."""
BECAME: Final = {"done": "done", "failed": "failed", "not_now": "not told"}
"""How a command ended, for the log of events, by its outcome."""
UP: Final = frozenset({State.RUNNING, State.PAUSED})
"""States of a deployment whose strategy is there to answer."""


class Parts(Protocol):
    """What is read of the daemon."""

    @property
    def engine(self) -> EngineClient:
        """Who passes questions on."""
        ...

    @property
    def news(self) -> News:
        """What the engine says."""
        ...

    @property
    def events(self) -> EventLog:
        """Where commands are noted."""
        ...


class Questions:
    """Asks the engine. ``patience`` is in seconds."""

    def __init__(self, daemon: Parts) -> None:
        self._engine = daemon.engine
        self._events = daemon.events
        # A command that is told again after a restart is answered under its old number, which may be of the
        # daemon before this one: no number is used twice.
        self._asking: Asking[CellAnswered] = Asking(daemon.engine, first=secrets.randbits(62))
        self._open: Counter[str] = Counter()
        daemon.news.on_cell_answered = self._asking.on_answer
        daemon.news.on_engine_gone.append(self._asking.on_engine_death)

    async def command(self, actor: Actor, name: str, payload: Any, *, patience: float, by: str) -> Any:
        """Have the strategy do a command; return its answer. ``Invalid`` is what it raised, in a line."""
        try:
            packed = json_values.pack(payload, "payload")
        except JsonRefused as error:
            raise Invalid([str(error)]) from None
        try:
            said = await self._ask(
                actor,
                lambda number: CommandCell(actor.id, actor.life.generation, name, packed, number),
                terms=_terms(actor, patience, f"the command {name!r} may still be done"),
            )
        except Late:
            self._note(actor, name, by, "no answer yet")
            raise
        self._note(actor, name, by, BECAME[said.outcome])
        return _answer_of(said, name)

    def _note(self, actor: Actor, name: str, by: str, became: str) -> None:
        """Note a command, and not its payload or what was said to it: that may be a secret."""
        self._events.note("command", f"{name} by {by}: {became}", actor.id, actor.life.generation)

    async def inspect(self, actor: Actor, *, patience: float) -> dict[str, Any]:
        """Return what the strategy shows of itself."""
        said = await self._ask(
            actor,
            lambda number: InspectCell(actor.id, actor.life.generation, number),
            terms=_terms(actor, patience, "ask again"),
        )
        shown = _answer_of(said, "inspect")
        if not isinstance(shown, dict):
            raise Invalid([f"inspect: its answer is a {type(shown).__name__}, not a mapping"])
        return shown

    async def save(self, actor: Actor, *, patience: float) -> int:
        """Have the strategy's state saved; return the number of its record, which is in the journal."""
        said = await self._ask(
            actor,
            lambda number: SaveCell(actor.id, actor.life.generation, number),
            terms=_terms(actor, patience, "the checkpoint may still be taken"),
        )
        _must_be_done(said, "checkpoint")
        return said.seq

    async def _ask(self, actor: Actor, order: Callable[[int], EngineOrder], *, terms: Terms) -> CellAnswered:
        if actor.life.state not in UP:
            raise Failed(f"{actor.id} does not run, it is {actor.life.state}: nobody is there to answer")
        if self._engine.ready is None:
            raise Unavailable("the engine is being started: ask again in a moment")
        if self._open[actor.id] >= AT_ONCE:
            raise Unavailable(f"{actor.id} has {AT_ONCE} questions to answer already: ask again in a moment")
        self._open[actor.id] += 1
        try:
            return await self._asking.ask(order, terms=terms)
        finally:
            self._open[actor.id] -= 1
            if not self._open[actor.id]:
                del self._open[actor.id]


def _terms(actor: Actor, patience: float, after: str) -> Terms:
    return Terms(
        patience,
        late=lambda: Late(f"{actor.id} has not answered within {patience:g} s: {after}"),
        gone=lambda: Late(f"the engine ended before {actor.id} answered, and is started again: {after}"),
    )


def _answer_of(said: CellAnswered, what: str) -> Any:
    _must_be_done(said, what)
    try:
        return json_values.unpack(said.data, f"{what}: its answer")
    except JsonRefused as error:
        raise Invalid([str(error)]) from None


def _must_be_done(said: CellAnswered, what: str) -> None:
    if said.outcome == "not_now":
        raise Failed(said.why)
    if said.outcome == "failed":
        raise Invalid([f"{what}: {said.why}"])
