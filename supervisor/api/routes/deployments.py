"""Deployments and what can be done to them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.port import DaemonPort
from supervisor.errors import NotFound, near_matches
from supervisor.schema import (
    ActionRequest,
    ActionResult,
    DeploymentDetail,
    DeploymentRow,
    Selection,
    StartRequest,
    StartResult,
)

Id = Annotated[str, Path(max_length=64)]


def deployment_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/deployments", dependencies=[needs("read")])
    async def deployments() -> list[DeploymentRow]:
        return await daemon.deployments()

    @api.post("/deployments", dependencies=[needs("trade")])
    async def start(
        request: StartRequest, response: Response, who: Annotated[Caller, Depends(caller)]
    ) -> StartResult:
        result = await daemon.start(request, owner=who.owner)
        response.status_code = 201 if result.created else 200
        return result

    @api.get("/deployments/{deployment_id}", dependencies=[needs("read")])
    async def describe(deployment_id: Id) -> DeploymentDetail:
        return await daemon.describe(deployment_id)

    _actions(api, daemon)


def _actions(api: APIRouter, daemon: DaemonPort) -> None:
    verbs = {"stop": daemon.stop, "pause": daemon.pause, "resume": daemon.resume, "restart": daemon.restart}
    forgetting = {"reset-failed": daemon.reset_failed, "remove": daemon.remove}

    @api.post("/actions/{verb}", dependencies=[needs("trade")])
    async def act(verb: str, request: ActionRequest) -> ActionResult:
        selection = Selection(ids=request.ids, account=request.account, all=request.all)
        if verb in forgetting:
            return await forgetting[verb](selection)
        if verb not in verbs:
            raise NotFound("verb", verb, near_matches(verb, (*verbs, *forgetting)))
        return await verbs[verb](selection, reason=request.reason, now=request.now, wait=request.wait)
