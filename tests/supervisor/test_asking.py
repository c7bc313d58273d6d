"""Questions to the engine: the answer with the right number, or a refusal that says what became of it."""

from __future__ import annotations

import asyncio

import pytest

from supervisor import asking
from supervisor.asking import Asking
from supervisor.errors import Failed
from supervisor.trading_control import Rearm, TradingAnswer


class Engine:
    def __init__(self) -> None:
        self.told: list[Rearm] = []
        self.heard = asyncio.Semaphore(0)

    def tell(self, order: Rearm) -> None:
        self.told.append(order)
        self.heard.release()


def rearm(number: int) -> Rearm:
    return Rearm("account", "fund", "", "root", number)


def test_each_question_gets_its_own_answer_in_whatever_order_they_come():
    async def scenario() -> None:
        engine = Engine()
        one: Asking[TradingAnswer] = Asking(engine)
        first, second = asyncio.create_task(one.ask(rearm)), asyncio.create_task(one.ask(rearm))
        for _ in range(2):
            await engine.heard.acquire()
        numbers = [order.request for order in engine.told]
        one.on_answer(TradingAnswer(max(numbers) + 1, "of nobody"))
        one.on_answer(TradingAnswer(numbers[1], "second"))
        one.on_answer(TradingAnswer(numbers[0], "first"))
        one.on_answer(TradingAnswer(numbers[0], "again"))
        assert ["first", "second"] == [(await first).problem, (await second).problem]

    asyncio.run(scenario())


def test_the_engines_death_is_an_answer_to_every_question():
    async def scenario() -> None:
        engine = Engine()
        one: Asking[TradingAnswer] = Asking(engine)
        waiting = asyncio.create_task(one.ask(rearm))
        await engine.heard.acquire()
        one.on_engine_death()
        one.on_engine_death()
        with pytest.raises(Failed, match="the engine ended meanwhile"):
            await waiting

    asyncio.run(scenario())


def test_silence_is_told_as_such_and_a_late_answer_reaches_nobody(monkeypatch):
    monkeypatch.setattr(asking, "PATIENCE", 0.01)

    async def scenario() -> None:
        engine = Engine()
        one: Asking[TradingAnswer] = Asking(engine)
        with pytest.raises(Failed, match=r"has not answered for 0\.01 s; it may still do it"):
            await one.ask(rearm)
        one.on_answer(TradingAnswer(engine.told[0].request))

    asyncio.run(scenario())
