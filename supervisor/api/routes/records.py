"""What is on record of one deployment: events, signals, orders, money, deaths, counters. None decides."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.schema import (
    Death,
    EquityView,
    EventView,
    MetricsView,
    OrderRow,
    PerformanceView,
    PositionRow,
    SignalView,
    TradeRow,
)

Id = Annotated[str, Path(max_length=64)]
Limit = Annotated[int, Query(ge=1, le=1000, description="at most so many")]
After = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="the first ones above this number, else the last ones")
]


def record_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""
    _numbered(api, daemon)
    _money(api, daemon)

    @api.get("/deployments/{deployment_id}/incidents", dependencies=[needs("read")])
    async def incidents(deployment_id: Id) -> list[Death]:
        """Its deaths, the newest first, with cause, stack and last lines."""
        return await daemon.incidents(deployment_id)

    @api.get("/deployments/{deployment_id}/metrics", dependencies=[needs("read")])
    async def metrics(deployment_id: Id) -> MetricsView:
        """What its process takes, how far it is behind, and what was counted."""
        return await daemon.metrics(deployment_id)


def _numbered(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/deployments/{deployment_id}/events", dependencies=[needs("read")])
    async def events(deployment_id: Id, after: After = None, limit: Limit = 100) -> list[EventView]:
        """What the daemon did with it, the newest last."""
        return await daemon.deployment_events(deployment_id, after=after, limit=limit)

    @api.get("/deployments/{deployment_id}/signals", dependencies=[needs("read")])
    async def signals(deployment_id: Id, after: After = None, limit: Limit = 100) -> list[SignalView]:
        """Its signals with their verdicts, the newest last."""
        return await daemon.find_signals(
            deployment_id, None, verdict=None, rule=None, after=after, limit=limit
        )


def _money(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/deployments/{deployment_id}/orders", dependencies=[needs("read")])
    async def orders(deployment_id: Id, ended: bool = False, limit: Limit = 100) -> list[OrderRow]:
        """Its orders that wait, with ``ended`` the others too, the newest last."""
        return await daemon.orders(deployment_id, None, ended=ended, n=limit)

    @api.get("/deployments/{deployment_id}/trades", dependencies=[needs("read")])
    async def trades(deployment_id: Id, after: After = None, limit: Limit = 100) -> list[TradeRow]:
        """Its executions, the newest last."""
        return await daemon.trades(deployment_id, None, after=after, n=limit)

    @api.get("/deployments/{deployment_id}/positions", dependencies=[needs("read")])
    async def positions(deployment_id: Id) -> list[PositionRow]:
        """What it holds, by symbol."""
        return await daemon.positions(deployment_id, None)

    @api.get("/deployments/{deployment_id}/performance", dependencies=[needs("read")])
    async def performance(deployment_id: Id) -> PerformanceView:
        """What it has earned, by the fills in the journal."""
        return await daemon.performance(deployment_id)

    @api.get("/deployments/{deployment_id}/equity", dependencies=[needs("read")])
    async def equity(deployment_id: Id, n: Annotated[int, Query(ge=4, le=10_000)] = 1000) -> EquityView:
        """Its profit after each fill, in at most ``n`` points."""
        return await daemon.equity(deployment_id, n=n)
