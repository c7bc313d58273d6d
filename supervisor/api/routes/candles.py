"""Closed candles, for charts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.schema import CandleView
from supervisor.schema.requests import Symbol, Timeframe


def candle_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/candles", dependencies=[needs("read")])
    async def candles(
        symbol: Annotated[Symbol, Query()],
        timeframe: Annotated[Timeframe, Query()],
        n: Annotated[int, Query(ge=1, le=5000)] = 500,
        before: Annotated[
            int | None, Query(ge=0, le=2**63 - 1, description="opened before this, in ns")
        ] = None,
    ) -> list[CandleView]:
        """The last closed candles of a series that something reads, ascending; none where nothing does."""
        return await daemon.candles(symbol, timeframe, before=before, n=n)
