"""How the engine and an instance that has ended part: with every word of it, and in any case soon.

A dead instance's last words may still be on their way to the engine: its last signals, its last checkpoint.
Its warden says goodbye behind all of them, and the engine says so once they are in the
journal. Until then the engine is not told to let go, because from then on it hears nothing of it any more;
but a warden that was killed says no goodbye, so nobody waits for one for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

GOODBYE: Final = 0.25
"""Seconds that a start, or whoever looks, waits for the last words of an instance that has just ended."""
LAST_WORD: Final = 5.0
"""Seconds after which an instance that said no goodbye is let go. The engine may have stood still."""


class Parting:
    """Of one deployment. ``let_go(generation)`` tells the engine to hear nothing of an instance any more."""

    def __init__(self, let_go: Callable[[int], None]) -> None:
        self._let_go = let_go
        self._heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._buried_at = float("-inf")
        self._waiting: asyncio.TimerHandle | None = None

    @property
    def heard_out(self) -> bool:
        """Whether the engine said that it has every word of the last instance, and that it can be read."""
        return self._heard.is_set()

    def begin(self) -> None:
        """Another instance is born: its words are still to come."""
        self._heard.clear()

    def heard(self) -> None:
        """Take note that the engine has every word of the instance."""
        self._heard.set()

    def ended(self, generation: int, now: float) -> None:
        """Have the engine let go of an instance that ended at ``now`` once it said goodbye, or late."""
        self._buried_at = now
        self.close()
        self._look(generation)

    def _look(self, generation: int) -> None:
        self._waiting = None
        if self.heard_out or self._loop.time() >= self._buried_at + LAST_WORD:
            self._let_go(generation)
        else:
            self._waiting = self._loop.call_later(GOODBYE, self._look, generation)

    async def settled(self) -> None:
        """Wait until the engine has every word of an instance that has just ended, or has had the time."""
        wait = self._buried_at + GOODBYE - self._loop.time()
        if wait > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), wait)

    def close(self) -> None:
        """Let go of nothing any more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
