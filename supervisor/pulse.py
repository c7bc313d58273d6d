"""Once a second: the sampler's pass, the lag of the loop, and a word to systemd that all of it happened.

The watchdog is fed from the loop itself and only when sampler, reaper and engine have each shown life since:
a side thread that feeds it would make a hung daemon look healthy.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from supervisor.quota import Sample
from supervisor.sampler import Sampler
from supervisor.systemd import Notifier

log = structlog.get_logger()
PERIOD = 1.0
Samples = dict[tuple[str, int], Sample]


class Pulse:
    """Beats from ``start`` to ``stop``. ``alive`` says whether the rest of the daemon shows life."""

    def __init__(
        self,
        sampler: Sampler,
        notifier: Notifier,
        *,
        on_samples: Callable[[Samples], None],
        tick: Callable[[], bool],
    ) -> None:
        self._sampler = sampler
        self._notifier = notifier
        self._on_samples = on_samples
        self._tick = tick
        # psutil opens files in /proc, which can block: never on the loop.
        self._thread = ThreadPoolExecutor(1, "sampler")
        self._task: asyncio.Task[None] | None = None
        self.lag = 0.0
        """Seconds by which the loop was late at the last beat."""

    def start(self) -> None:
        """Begin to beat."""
        self._task = asyncio.create_task(self._beat(), name="pulse")

    async def stop(self) -> None:
        """Beat no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown()

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            # From the instant that was due, not from now: a late beat must not shift those after it.
            due = max(due + PERIOD, loop.time())
            await asyncio.sleep(due - loop.time())
            self.lag = max(0.0, loop.time() - due)
            try:
                self._on_samples(await loop.run_in_executor(self._thread, self._sampler.sweep))
                alive = self._tick()
            except Exception:  # the wall: quotas must be looked at again in a second, whatever this was
                log.exception("pulse_failed")
                alive = False  # but systemd is not told that all is well
            if alive and self._notifier.watchdog is not None:
                self._notifier.say("WATCHDOG=1")
