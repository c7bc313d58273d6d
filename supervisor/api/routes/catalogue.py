"""The strategies that there are."""

from __future__ import annotations

from typing import Protocol

from fastapi import APIRouter

from supervisor.api.caller import needs
from supervisor.schema import RegisterRequest, RescanResult, StrategyView
from supervisor.schema.catalogue import StrategyList, StrategyRow


class CataloguePort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def strategies(self, *, account: str | None = None) -> list[StrategyRow]:
        """Return every sound strategy, by name, with what its deployments make of it.

        With an ``account`` those of others count for nothing.
        """
        ...

    async def catalogue(self) -> list[StrategyView]:
        """Return every version of every strategy, broken folders included."""
        ...

    async def rescan(self) -> RescanResult:
        """Search the strategy folders again."""
        ...

    async def register(self, path: str) -> StrategyView:
        """Add the strategy folder or file at the absolute ``path`` to the catalogue, for good."""
        ...


def catalogue_routes(api: APIRouter, daemon: CataloguePort) -> None:
    """Add the routes to ``api``."""

    @api.get("/strategies", dependencies=[needs("read")], tags=["Catalogue"], summary="List strategies")
    async def strategies() -> StrategyList:
        """Every sound strategy, one row a name, with the status that its deployments give it."""
        return StrategyList(strategies=await daemon.strategies())

    @api.get("/catalogue", dependencies=[needs("read")], tags=["Catalogue"], summary="List all versions")
    async def catalogue() -> list[StrategyView]:
        """Every version of every strategy with its parameters; broken folders with what is wrong."""
        return await daemon.catalogue()

    @api.post("/strategies/rescan", dependencies=[needs("code")], tags=["Catalogue"], summary="Search again")
    async def rescan() -> RescanResult:
        """Search the strategy folders again; answers what changed."""
        return await daemon.rescan()

    # Not /strategies/register, which takes source text: this one takes a path of the daemon's own host.
    @api.post(
        "/strategies/register-path",
        status_code=201,
        dependencies=[needs("code")],
        tags=["Catalogue"],
        summary="Register a path",
    )
    async def register(request: RegisterRequest) -> StrategyView:
        """Add a folder or file of the daemon's own host to the catalogue, for good."""
        return await daemon.register(request.path)
