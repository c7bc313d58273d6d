"""Ending a task, also one that loses the first cancellation."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from supervisor.tasks import end_task
from tests.waiting import turn


def test_a_task_is_over_when_it_was_ended():
    async def scenario():
        task = asyncio.create_task(asyncio.Event().wait())
        await turn()
        await end_task(task)
        return task.cancelled()

    assert asyncio.run(scenario())


def test_a_cancellation_that_is_lost_is_repeated():
    async def loses_one():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def scenario():
        task = asyncio.create_task(loses_one())
        await turn()
        await end_task(task)
        return task.cancelled()

    assert asyncio.run(asyncio.wait_for(scenario(), 60))


def test_a_wait_that_is_over_in_the_same_turn_holds_nobody_up():
    """The case itself: as redis writes a command, which is done at once."""

    async def writes_and_waits(written: list[int]):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(turn(), 60)
        written.append(1)
        await asyncio.Event().wait()

    async def scenario(turns: int):
        written: list[int] = []
        task = asyncio.create_task(writes_and_waits(written))
        for _ in range(turns):
            await turn()
        await end_task(task)
        return task.cancelled()

    for turns in range(6):
        assert asyncio.run(asyncio.wait_for(scenario(turns), 60))


def test_what_a_task_failed_with_is_raised_and_none_is_no_task():
    async def fails():
        raise LookupError("gone")

    async def scenario():
        await end_task(None)
        task = asyncio.create_task(fails())
        await turn()
        await end_task(task)

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(scenario())
