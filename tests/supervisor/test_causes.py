"""What is logged carries the id of the request that caused it, however contexts are copied."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from supervisor.causes import FIELD, Cause, current, named, working_for


def said() -> Any:
    """Return the id that a line logged here would carry."""
    return named(None, "info", dict(structlog.contextvars.get_contextvars())).get(FIELD)


def test_an_id_is_there_while_its_request_is_worked_on():
    cause = Cause("one")
    with working_for(cause):
        assert (said(), current()) == ("one", cause)
        with working_for(None):
            assert (said(), current()) == (None, None)
        assert said() == "one"
    assert (said(), current()) == (None, None)


async def _later(gate: asyncio.Event) -> Any:
    await gate.wait()
    return said()


def test_what_was_begun_in_a_request_carries_its_id_no_longer_than_it_lasts():
    async def scene() -> None:
        cause, gate = Cause("one"), asyncio.Event()
        timed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        with working_for(cause):
            task = asyncio.create_task(_later(gate))
            asyncio.get_running_loop().call_later(0.01, lambda: timed.set_result(said()))
        cause.release()
        gate.set()
        assert await task is None
        assert await timed is None

    asyncio.run(scene())


def test_what_goes_on_for_a_request_keeps_its_id_until_it_is_done():
    cause = Cause("one")
    cause.hold()
    cause.release()
    with working_for(cause):
        assert said() == "one"
        cause.release()
        assert said() is None


def test_an_id_that_somebody_bound_as_text_is_left_alone():
    assert named(None, "info", {FIELD: "text"}) == {FIELD: "text"}
    assert named(None, "info", {"event": "x"}) == {"event": "x"}
