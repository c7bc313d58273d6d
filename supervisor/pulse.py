"""Four times a second the memory of every cell, once a second the rest, and a word of it to systemd.

The rest: processor times, the lag of the loop, and whatever else the daemon looks after.

The watchdog is fed from the loop itself and only when sampler, reaper and engine have each shown life since:
a side thread that feeds it would make a hung daemon look healthy.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from supervisor.quota import SAMPLE_PERIOD, Sample
from supervisor.sampler import Sampler
from supervisor.systemd import Notifier

log = structlog.get_logger()
BEATS = round(1 / SAMPLE_PERIOD)
"""Beats a second: every one reads memory, the last of them everything."""
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
        """Seconds by which the loop was late at the worst beat of the last second."""

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
        self._sampler.close()

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        due, beat, lag, sound = loop.time(), 0, 0.0, True
        while True:
            # From the instant that was due, not from now: a late beat must not shift those after it.
            due, beat = max(due + SAMPLE_PERIOD, loop.time()), beat + 1
            await asyncio.sleep(due - loop.time())
            lag = max(lag, loop.time() - due)
            whole = beat % BEATS == 0
            try:
                sweep = functools.partial(self._sampler.sweep, cpu=whole)
                self._on_samples(await loop.run_in_executor(self._thread, sweep))
                alive = self._tick() if whole else True
            except Exception:  # the wall: quotas must be looked at again, whatever this was
                log.exception("pulse_failed")
                sound = alive = False  # but systemd is not told that all is well
            if not whole:
                continue
            self.lag, lag = lag, 0.0
            if alive and sound and self._notifier.watchdog is not None:
                self._notifier.say("WATCHDOG=1")
            sound = True
