"""Questions to the engine that are answered once the answer is in its journal."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from supervisor.control import EngineOrder
from supervisor.errors import Failed, StratdError

PATIENCE = 10.0
"""Seconds that the engine may take to answer."""


class Engine(Protocol):
    """What is needed of ``EngineClient``."""

    def tell(self, order: EngineOrder) -> None:
        """Send an order; dropped while there is no engine."""
        ...


class Answer(Protocol):
    """What says to which question it belongs."""

    @property
    def request(self) -> int:
        """The number of the question."""
        ...


A = TypeVar("A", bound=Answer)


class Terms(NamedTuple):
    """How long an answer is waited for, seconds, and what is raised where none comes: too late, or ever."""

    patience: float
    late: Callable[[], StratdError]
    gone: Callable[[], StratdError]


def ordinary() -> Terms:
    """Return the terms of what the engine itself answers."""
    return Terms(
        PATIENCE,
        lambda: Failed(f"the engine has not answered for {PATIENCE:g} s; it may still do it"),
        lambda: Failed("the engine ended meanwhile; ask again, it is being started"),
    )


class Asking(Generic[A]):
    """Orders with a number, and the answers that wait for theirs. ``first`` is the first number."""

    def __init__(self, engine: Engine, *, first: int = 1) -> None:
        self._engine = engine
        self._numbers = itertools.count(first)
        self._waiting: dict[int, tuple[asyncio.Future[A], Terms]] = {}

    async def ask(self, *orders: Callable[[int], EngineOrder], terms: Terms | None = None) -> A:
        """Send ``orders``, one right behind the other; the last is answered. Else raises as ``terms`` say."""
        number, terms = next(self._numbers), terms or ordinary()
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer, terms
        try:
            for order in orders:
                self._engine.tell(order(number))
            return await asyncio.wait_for(answer, terms.patience)
        except TimeoutError:
            raise terms.late() from None
        finally:
            self._waiting.pop(number, None)

    def on_answer(self, answer: A) -> None:
        """Take what the engine says to an order."""
        waiting, _ = self._waiting.get(answer.request, (None, None))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def on_engine_death(self) -> None:
        """Nobody answers any more."""
        for waiting, terms in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(terms.gone())
