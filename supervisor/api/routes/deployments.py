"""Deployments and what can be done to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.etags import tagged
from supervisor.api.pages import Paging
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
    State,
)

Id = Annotated[str, Path(max_length=64)]


@dataclass(frozen=True)
class Wanted:
    """Which deployments are asked for; None is any. ``strategy`` is NAME, or NAME@VERSION."""

    account: Annotated[str | None, Query(max_length=64)] = None
    state: Annotated[State | None, Query()] = None
    mode: Annotated[Literal["paper", "live"] | None, Query()] = None
    strategy: Annotated[str | None, Query(max_length=200)] = None

    def takes(self, row: DeploymentRow) -> bool:
        """Whether ``row`` is one of them."""
        return (
            self.account in (None, row.account)
            and self.state in (None, row.state)
            and self.mode in (None, row.mode)
            and self.strategy in (None, row.strategy, f"{row.strategy}@{row.version}")
        )


def deployment_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""

    @api.get("/deployments", dependencies=[needs("read")])
    async def deployments(wanted: Annotated[Wanted, Depends()], page: Paging) -> list[DeploymentRow]:
        """Every deployment, by id; or those of an account, in a state, in a mode, of a strategy."""
        rows = [row for row in await daemon.deployments() if wanted.takes(row)]
        return page.of(rows, key=lambda row: row.id)

    @api.post("/deployments", dependencies=[needs("trade")])
    async def start(
        request: StartRequest, response: Response, who: Annotated[Caller, Depends(caller)]
    ) -> StartResult:
        """Create a deployment, or start the one of that id as it was; answers once it runs."""
        result = await daemon.start(request, owner=who.owner)
        response.status_code = 201 if result.created else 200
        return result

    @api.get("/deployments/{deployment_id}", dependencies=[needs("read")])
    async def describe(deployment_id: Id, response: Response) -> DeploymentDetail:
        """Everything about one deployment, its last deaths included."""
        return tagged(response, await daemon.describe(deployment_id))

    _actions(api, daemon)


def _actions(api: APIRouter, daemon: DaemonPort) -> None:
    verbs = {"stop": daemon.stop, "pause": daemon.pause, "resume": daemon.resume, "restart": daemon.restart}
    forgetting = {"reset-failed": daemon.reset_failed, "remove": daemon.remove}

    @api.post("/actions/{verb}", dependencies=[needs("trade")])
    async def act(verb: str, request: ActionRequest) -> ActionResult:
        """Stop, pause, resume, restart, forget the failures of, or remove several at once."""
        selection = Selection(ids=request.ids, account=request.account, all=request.all)
        if verb in forgetting:
            return await forgetting[verb](selection)
        if verb not in verbs:
            raise NotFound("verb", verb, near_matches(verb, (*verbs, *forgetting)))
        return await verbs[verb](selection, reason=request.reason, now=request.now, wait=request.wait)
