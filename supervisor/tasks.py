"""Ending a task: what ``task.cancel()`` alone does not guarantee."""

from __future__ import annotations

import asyncio
from typing import Any

AGAIN = 0.1
"""Seconds after which a task that still runs is cancelled once more."""


async def end_task(task: asyncio.Task[Any] | None) -> None:
    """Cancel ``task`` and wait until it is over. What it failed with, if it did, is raised.

    Again and again, because a cancellation can be lost: until Python 3.12, ``asyncio.wait_for`` drops one
    that arrives in the loop turn in which what it waits for is done, and redis sends each command under it.
    A task that waits for ever afterwards would be waited for as long.
    """
    if task is None:
        return
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=AGAIN)
    if not task.cancelled():
        task.result()
