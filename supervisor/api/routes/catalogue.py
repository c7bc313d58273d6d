"""The strategies that there are."""

from __future__ import annotations

from fastapi import APIRouter

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.schema import RegisterRequest, RescanResult, StrategyView


def catalogue_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/strategies", dependencies=[needs("read")])
    async def strategies() -> dict[str, list[StrategyView]]:
        return {"strategies": await daemon.strategies()}

    @api.post("/strategies/rescan", dependencies=[needs("code")])
    async def rescan() -> RescanResult:
        return await daemon.rescan()

    # Not /strategies/register, which takes source text: this one takes a path of the daemon's own host.
    @api.post("/strategies/register-path", status_code=201, dependencies=[needs("code")])
    async def register(request: RegisterRequest) -> StrategyView:
        return await daemon.register(request.path)
