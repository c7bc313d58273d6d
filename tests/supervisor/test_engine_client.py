"""The engine process as the daemon holds it, where the host has no room for another one."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from supervisor import engine_client
from supervisor.engine_client import EngineClient
from tests.waiting import until

pytestmark = pytest.mark.system


class Listener:
    def __init__(self) -> None:
        self.deaths: list[int] = []
        self.failures: list[str] = []

    def on_news(self, news) -> None:
        raise AssertionError(f"this engine says nothing: {news}")

    def on_engine_death(self, code: int) -> None:
        self.deaths.append(code)

    def on_engine_unstarted(self, why: str) -> None:
        self.failures.append(why)


@pytest.mark.parametrize("fails", ["Popen", "pidfd_open"])
def test_an_engine_that_could_not_be_started_again_is_tried_until_it_can(monkeypatch, tmp_path, fails):
    place = subprocess if fails == "Popen" else engine_client.os
    real, left = getattr(place, fails), [2]

    def short_of_room(*args, **named):
        if listener.deaths and left[0]:
            left[0] -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real(*args, **named)

    async def run() -> None:
        client = EngineClient(tmp_path, tmp_path, listener, command=[sys.executable, "-c", "pass"])
        client.start()
        try:
            await until(enough, what="the engine starts again")
        finally:
            await client.stop(0.0)

    async def enough() -> bool:
        return len(listener.deaths) >= 2

    listener = Listener()
    monkeypatch.setattr(place, fails, short_of_room)
    asyncio.run(run())
    assert 0 == left[0]
    assert 2 == len(listener.failures)
