"""What is done to one deployment by its own address: verbs, latches, other settings, real money."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.etags import IfMatch, check, tagged
from supervisor.api.port import DaemonPort
from supervisor.problems import ToldError
from supervisor.schema import (
    ActionResult,
    ChangeResult,
    LatchRequest,
    LatchResult,
    NamedValues,
    Outcome,
    PromoteRequest,
    PromoteResult,
    QuotaPatch,
    Selection,
    SettingsPatch,
    StartRequest,
    StartResult,
    VerbRequest,
)

Id = Annotated[str, Path(max_length=64)]
Who = Annotated[Caller, Depends(caller)]
How = Annotated[VerbRequest, Body(default_factory=VerbRequest)]
Why = Annotated[LatchRequest, Body(default_factory=LatchRequest)]
Verb = Callable[[Selection, VerbRequest], Awaitable[ActionResult]]


def change_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``."""
    _verbs(api, daemon)
    _latches(api, daemon)
    _settings(api, daemon)
    _promotion(api, daemon)


def _verbs(api: APIRouter, daemon: DaemonPort) -> None:
    @api.post("/deployments/{deployment_id}/start", dependencies=[needs("trade")])
    async def start(deployment_id: Id, how: How, who: Who) -> StartResult:
        """Start it as it was; one that runs is left alone."""
        await daemon.describe(deployment_id)  # a new one is created by POST /deployments alone
        return await daemon.start(StartRequest(id=deployment_id, wait=how.wait), owner=who.owner)

    @api.post("/deployments/{deployment_id}/stop", dependencies=[needs("trade")])
    async def stop(deployment_id: Id, how: How) -> Outcome:
        """Stop it in order."""
        return _only(await daemon.stop(_one(deployment_id), reason=how.reason, now=how.now, wait=how.wait))

    @api.post("/deployments/{deployment_id}/pause", dependencies=[needs("trade")])
    async def pause(deployment_id: Id, how: How) -> Outcome:
        """Pause it: no ticks, no signals, its state kept; what it holds stays guarded."""
        return _only(await daemon.pause(_one(deployment_id), reason=how.reason, now=how.now, wait=how.wait))

    @api.post("/deployments/{deployment_id}/resume", dependencies=[needs("trade")])
    async def resume(deployment_id: Id, how: How) -> Outcome:
        """Resume it."""
        return _only(await daemon.resume(_one(deployment_id), reason=how.reason, now=how.now, wait=how.wait))

    @api.post("/deployments/{deployment_id}/restart", dependencies=[needs("trade")])
    async def restart(deployment_id: Id, how: How) -> Outcome:
        """Stop it and start it again; a stopped one is started."""
        return _only(await daemon.restart(_one(deployment_id), reason=how.reason, now=how.now, wait=how.wait))

    @api.post("/deployments/{deployment_id}/reset-failed", dependencies=[needs("trade")])
    async def reset_failed(deployment_id: Id) -> Outcome:
        """Take it out of failed or quarantined, its tally of restarts forgotten."""
        return _only(await daemon.reset_failed(_one(deployment_id)))

    @api.delete("/deployments/{deployment_id}", dependencies=[needs("trade")])
    async def remove(deployment_id: Id, if_match: IfMatch = None) -> Outcome:
        """Forget it and its state; one that is not stopped is refused."""
        if if_match is not None:
            check(if_match, await daemon.describe(deployment_id))
        return _only(await daemon.remove(_one(deployment_id)))


def _latches(api: APIRouter, daemon: DaemonPort) -> None:
    @api.post("/deployments/{deployment_id}/flatten", dependencies=[needs("trade")])
    async def flatten(deployment_id: Id, why: Why, who: Who) -> LatchResult:
        """Close what it holds, cancel what waits, and let only exits through until it is unlocked."""
        return await daemon.latch(deployment_id, "flatten", reason=why.reason, by=who.name)

    @api.post("/deployments/{deployment_id}/lock", dependencies=[needs("trade")])
    async def lock(deployment_id: Id, why: Why, who: Who) -> LatchResult:
        """Close what it holds, cancel what waits, and let nothing through until it is unlocked."""
        return await daemon.latch(deployment_id, "lock", reason=why.reason, by=who.name)

    @api.post("/deployments/{deployment_id}/unlock", dependencies=[needs("trade")])
    async def unlock(deployment_id: Id, why: Why, who: Who) -> LatchResult:
        """Take back what bars it, whatever that is; losses are counted from here."""
        return await daemon.rearm(deployment_id, reason=why.reason, by=who.name)


def _settings(api: APIRouter, daemon: DaemonPort) -> None:
    async def change(
        name: str, patch: SettingsPatch, if_match: str | None, response: Response
    ) -> ChangeResult:
        if if_match is not None:
            check(if_match, await daemon.describe(name))
        result = await daemon.change(name, patch)
        tagged(response, await daemon.describe(name))
        return result

    @api.patch("/deployments/{deployment_id}/parameters", dependencies=[needs("trade")])
    async def parameters(
        deployment_id: Id, values: NamedValues, response: Response, if_match: IfMatch = None
    ) -> ChangeResult:
        """Give it other parameters; those not named stay. While it runs, only such as are `updatable`."""
        return await change(deployment_id, SettingsPatch(parameters=values.root), if_match, response)

    @api.patch("/deployments/{deployment_id}/risk", dependencies=[needs("trade")])
    async def risk(
        deployment_id: Id, values: NamedValues, response: Response, if_match: IfMatch = None
    ) -> ChangeResult:
        """Give it other limits; those that are not named stay, null takes one away. It has to be stopped."""
        return await change(deployment_id, SettingsPatch(risk=values.root), if_match, response)

    @api.patch("/deployments/{deployment_id}/quota", dependencies=[needs("trade")])
    async def quota(
        deployment_id: Id, wanted: QuotaPatch, response: Response, if_match: IfMatch = None
    ) -> ChangeResult:
        """Give it another quota of memory or CPU. It has to be stopped."""
        patch = SettingsPatch(**wanted.model_dump(exclude_none=True))
        return await change(deployment_id, patch, if_match, response)


def _promotion(api: APIRouter, daemon: DaemonPort) -> None:
    @api.post(
        "/deployments/{deployment_id}/promote",
        dependencies=[needs("trade")],
        responses={202: {"model": PromoteResult, "description": "Nothing was changed: confirm it"}},
    )
    async def promote(
        deployment_id: Id,
        request: Annotated[PromoteRequest, Body(default_factory=PromoteRequest)],
        response: Response,
        who: Who,
    ) -> PromoteResult:
        """From paper to real money: 202 says what it would mean, and the confirmation from there does it."""
        result = await daemon.promote(deployment_id, request, by=who.name)
        response.status_code = HTTPStatus.OK if result.promoted else HTTPStatus.ACCEPTED
        return result


def _one(deployment_id: str) -> Selection:
    return Selection(ids=[deployment_id])


def _only(result: ActionResult) -> Outcome:
    """Return what became of the one deployment that a verb was for; its problem is that of the request."""
    (outcome,) = result.outcomes
    if outcome.problem is not None:
        raise ToldError(outcome.problem)
    return outcome
