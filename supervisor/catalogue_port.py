"""What the API asks of the catalogue, answered for one daemon."""

from __future__ import annotations

from collections import Counter

from supervisor import listing
from supervisor.daemon import Daemon
from supervisor.listing import Used
from supervisor.schema import RescanResult, StrategyView
from supervisor.schema.catalogue import StrategyRow


class Strategies:
    """``supervisor.api.routes.catalogue.CataloguePort``; a part of ``Port``."""

    _daemon: Daemon

    async def strategies(self, *, account: str | None = None) -> list[StrategyRow]:
        """Return every sound strategy, by name, with what its deployments make of it."""
        return listing.rows(self._daemon.catalogue.current(), self._used(account))

    async def catalogue(self) -> list[StrategyView]:
        """Return every version of every strategy, broken folders included."""
        used = Counter((one.strategy, one.version) for one in self._used(None))
        return self._daemon.catalogue.views(used)

    async def rescan(self) -> RescanResult:
        """Search the strategy folders again."""
        return await self._daemon.rescan()

    def _used(self, account: str | None) -> list[Used]:
        return [
            Used(name, mine.strategy, mine.version, actor.life.state, mine.symbols, mine.timeframes)
            for name, actor in sorted(self._daemon.actors.items())
            for mine in (actor.deployment,)
            if account in (None, mine.account)
        ]
