"""Questions to the engine that are answered once the answer is in its journal."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from supervisor.control import EngineOrder
from supervisor.errors import Failed

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


class Asking(Generic[A]):
    """Orders with a number, and the answers that wait for theirs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[A]] = {}

    async def ask(self, *orders: Callable[[int], EngineOrder]) -> A:
        """Send ``orders``, one right behind the other; the last is answered. ``Failed`` if it is not."""
        number = next(self._numbers)
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            for order in orders:
                self._engine.tell(order(number))
            return await asyncio.wait_for(answer, PATIENCE)
        except TimeoutError:
            raise Failed(f"the engine has not answered for {PATIENCE:g} s; it may still do it") from None
        finally:
            self._waiting.pop(number, None)

    def on_answer(self, answer: A) -> None:
        """Take what the engine says to an order."""
        waiting = self._waiting.get(answer.request)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def on_engine_death(self) -> None:
        """Nobody answers any more."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Failed("the engine ended meanwhile; ask again, it is being started"))
