"""What an engine is told when it is new, and what follows from what it says: over the parts of one daemon.

Rules of this file. An engine that is new knows what its journal says and nothing else: it is told who reads
what, the settings, and who lives already, in that order. One that says nothing for too long is killed; the
client starts the next one (``engine_client``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from supervisor import control
from supervisor.errors import Failed
from supervisor.feeds import configuration
from supervisor.recovery import refill

if TYPE_CHECKING:
    from supervisor.daemon import Daemon

PATIENCE: Final = 30.0
"""Seconds that the first engine may take to recover its journal before the daemon gives up."""
SILENCE: Final = 15.0
"""Seconds without a word from a living engine after which it counts as hung and is killed."""


class Briefing:
    """Keeps one daemon's engine informed. ``spawn`` runs what takes time, and holds on to it."""

    def __init__(self, daemon: Daemon, spawn: Callable[[Coroutine[Any, Any, Any]], None]) -> None:
        self._daemon = daemon
        self._spawn = spawn
        daemon.news.on_ready, daemon.news.on_stats = self._on_ready, self._on_stats
        daemon.engine.before_restart = self._refill

    async def first(self) -> None:
        """Wait for the first engine: one that cannot start says why on stderr, and nothing can trade."""
        daemon = self._daemon
        try:
            await asyncio.wait_for(daemon.news.engine_heard.wait(), PATIENCE)
        except TimeoutError:
            raise Failed(f"the engine was not ready within {PATIENCE:g} s") from None
        if daemon.host.endpoints is None:
            raise Failed(f"the engine did not start ({daemon.problems.get('engine', 'no reason given')})")

    async def settings(self) -> None:
        """Tell the engine of the settings as they are now."""
        daemon = self._daemon
        digest = await daemon.trading.bring_up(daemon.settings)
        order = await configuration(daemon.settings, daemon.calendars, daemon.events, daemon.problems, digest)
        daemon.engine.tell(order)
        daemon.clearing.tell()

    async def _everything(self) -> None:
        """Tell the engine who reads what, then its feeds, and then of every cell that lives already.

        In this order: what a feed brings is kept for those who are known by then.
        """
        for actor in self._daemon.actors.values():
            actor.expect()
        await self.settings()
        for actor in self._daemon.actors.values():
            actor.reattach()

    async def _refill(self) -> None:
        """Before an engine begins a journal anew: what the mirror knows of the one that was lost."""
        daemon = self._daemon
        if await refill(daemon) and daemon.mirror is not None:
            daemon.mirror.keep_apart()

    def _on_ready(self, ready: control.EngineReady) -> None:
        self._daemon.host.endpoints = ready
        self._spawn(self._daemon.signals.look_again())
        self._spawn(self._everything())

    def _on_stats(self, stats: control.EngineStats) -> None:
        daemon = self._daemon
        self._spawn(daemon.signals.grew(stats.journal_seq))
        self._spawn(daemon.checkpoints.refresh(stats.journal_seq))
        if daemon.mirror is not None:
            daemon.mirror.touch()

    def look(self) -> bool:
        """Kill an engine that hangs; returns whether everything is as it should be. Once a second."""
        daemon = self._daemon
        silence = asyncio.get_running_loop().time() - daemon.news.heard_at
        if daemon.engine.ready is not None and silence > SILENCE:
            daemon.events.note("engine_hung", f"silent for {silence:.0f} s")
            daemon.engine.kill()
        # While the engine is dead or starting, starting it is what the daemon is busy with: that is life.
        return daemon.engine.ready is None or silence < SILENCE
