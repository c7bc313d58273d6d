"""The daemon itself: how it is, and its feeds."""

from __future__ import annotations

from fastapi import APIRouter

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.schema import FeedView, Status


def ops_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/status", dependencies=[needs("read")])
    async def status() -> Status:
        return await daemon.status()

    @api.get("/feeds", dependencies=[needs("read")])
    async def feeds() -> list[FeedView]:
        return await daemon.feeds()
