"""When the engine is told to let go of an instance that has ended."""

from __future__ import annotations

import asyncio

import pytest

from supervisor import parting
from supervisor.parting import Parting
from tests.waiting import pause_between, turn


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(parting, "GOODBYE", 0.001)
    monkeypatch.setattr(parting, "LAST_WORD", 1e6)


def play(scenario) -> list[int]:
    """Return whom the engine was told to let go of, in a play of ``scenario(parting, told)``."""
    told: list[int] = []

    async def played() -> None:
        await scenario(Parting(told.append), told)

    asyncio.run(played())
    return told


async def looks(count: int = 20) -> None:
    """Let it look that often, and more."""
    for _ in range(count):
        await pause_between(parting.GOODBYE)
        await turn()


def now() -> float:
    return asyncio.get_running_loop().time()


def test_one_that_said_goodbye_is_let_go_at_once():
    async def scenario(parted, told):
        parted.begin()
        parted.heard()
        parted.ended(7, now())
        assert told == [7]

    play(scenario)


def test_one_whose_words_are_still_on_their_way_is_kept_until_they_are_there():
    async def scenario(parted, told):
        parted.begin()
        parted.ended(7, now())
        await looks()
        assert told == [], "the engine may have stood still; what it has not read yet would be lost"
        parted.heard()
        while not told:
            await looks(1)

    assert play(scenario) == [7]


def test_one_whose_warden_was_killed_says_no_goodbye_and_is_let_go_all_the_same(monkeypatch):
    monkeypatch.setattr(parting, "LAST_WORD", 0.01)

    async def scenario(parted, told):
        parted.begin()
        parted.ended(7, now())
        while not told:
            await looks(1)
        assert not parted.heard_out

    assert play(scenario) == [7]


def test_the_goodbye_of_one_is_not_that_of_the_next():
    async def scenario(parted, told):
        parted.begin()
        parted.heard()
        parted.ended(1, now())
        parted.begin()
        assert not parted.heard_out
        parted.ended(2, now())
        await looks()
        assert told == [1]

    play(scenario)


def test_nobody_is_let_go_any_more_once_it_is_closed():
    async def scenario(parted, _told):
        parted.begin()
        parted.ended(7, now())
        parted.close()
        parted.heard()
        await looks()

    assert play(scenario) == []


def test_who_waits_for_the_last_word_waits_for_a_moment_only():
    async def scenario(parted, _told):
        await parted.settled()  # nothing has ended: nothing to wait for
        parted.begin()
        parted.ended(7, now())
        await parted.settled()
        assert not parted.heard_out
        parted.close()

    play(scenario)
