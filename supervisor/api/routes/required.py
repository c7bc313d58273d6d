"""The routes that the platform's other services were written against, but for the catalogue's two."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.schema import Problem
from supervisor.schema.running import BacktestRequest, ExecuteRequest, ExecuteResult


class RunningPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def execute(
        self, request: ExecuteRequest, *, owner: bool = False, account: str | None = None
    ) -> ExecuteResult:
        """Create a deployment under a new id, and start it; with an ``account`` code of others is unknown."""
        ...

    async def backtest(self, request: BacktestRequest, *, account: str | None = None) -> None:
        """Judge what a backtest is asked for, and say that there is none yet: raises in any case."""
        ...


def required_routes(api: APIRouter, daemon: RunningPort) -> None:
    """Add the routes to ``api``."""

    @api.post(
        "/execute",
        status_code=201,
        dependencies=[needs("trade")],
        summary="Run a strategy",
    )
    async def execute(
        request: ExecuteRequest, response: Response, who: Annotated[Caller, Depends(caller)]
    ) -> ExecuteResult:
        """Create a deployment of a strategy and start it; answers once it runs.

        On paper, unless ``mode`` is ``live``, the configuration and the account allow that, and it is
        confirmed. The capital allocated is the most that everything it holds may be worth.
        """
        result = await daemon.execute(request, owner=who.owner)
        response.headers["Location"] = f"/api/v1/deployments/{result.deployment_id}"
        return result

    @api.post(
        "/backtest",
        status_code=501,
        dependencies=[needs("read")],
        summary="Run a backtest",
        response_model=Problem,
    )
    async def backtest(request: BacktestRequest) -> None:
        """Not done by this version: the request is judged, and a sound one is answered with 501."""
        await daemon.backtest(request)
