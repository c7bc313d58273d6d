"""Waiting for a condition, with a deadline: what tests do instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    timeout: float = 60.0,
    what: str = "the condition",
    every: float = 0.005,
    at_most: float = 0.0,
) -> T:
    """Return the first truthy value of ``condition``; fail after ``timeout`` seconds.

    It is asked again after ``every`` seconds; with ``at_most`` after a tenth of what was waited so far, up to
    that. For what it costs something to ask: whoever asks all the time takes that from what is waited for.
    """
    begin = time.monotonic()
    while True:
        if value := condition():
            return value
        waited = time.monotonic() - begin
        if waited > timeout:
            raise AssertionError(f"{what} did not come true within {timeout} s; last value: {value!r}")
        time.sleep(max(every, min(at_most, waited / 10)))


async def until(
    condition: Callable[[], Awaitable[T]], *, seconds: float = 60.0, what: str = "the condition"
) -> T:
    """Return the first truthy value of ``condition``, as ``wait_until`` does, on an event loop."""
    deadline = time.monotonic() + seconds
    while True:
        if value := await condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come true within {seconds} s; last value: {value!r}")
        await asyncio.sleep(0.005)


async def turn() -> None:
    """Let everything else that is ready on the event loop have its turn."""
    await asyncio.sleep(0)


async def pause_between(seconds: float) -> None:
    """Pace what a test publishes for as long as it lasts: never a wait for something to happen."""
    await asyncio.sleep(seconds)


def until_due(at: float) -> None:
    """Return at monotonic second ``at``: the pace of what a test publishes or does, never a hope."""
    left = at - time.monotonic()
    if left > 0:
        time.sleep(left)
