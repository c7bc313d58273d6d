"""The routes: each asks the daemon one thing and writes down the answer. No decision is made here.

Errors are RFC 9457 problem documents; what streams are JSON Lines. This file is the wall at which an
unexpected exception becomes an answer: uvicorn logs it with its traceback, the client is told where to look.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from supervisor.api.body_limit import BodyLimit
from supervisor.api.money import money_routes
from supervisor.api.port import DaemonPort
from supervisor.errors import Invalid, NotFound, StratdError, near_matches
from supervisor.problems import INTERNAL, problem_of
from supervisor.schema import (
    ActionRequest,
    ActionResult,
    CheckpointView,
    DeploymentDetail,
    DeploymentRow,
    FeedView,
    Health,
    Outcome,
    Problem,
    RegisterRequest,
    RescanResult,
    Selection,
    StartRequest,
    StartResult,
    Status,
    StrategyView,
    View,
)

Lines = Annotated[int, Query(ge=0, le=100_000)]
After = Annotated[int | None, Query(ge=0)]
Id = Annotated[str, Path(max_length=64)]
Seq = Annotated[int, Path(ge=1, le=2**63 - 1)]


def build(daemon: DaemonPort, *, version: str, max_body: int) -> FastAPI:
    """Return the application over ``daemon``; a body over ``max_body`` bytes is refused with 413."""
    app = FastAPI(title="stratd", version=version, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, most=max_body)
    app.add_exception_handler(StratdError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)

    @app.get("/health")
    async def health() -> Health:
        return Health(version=version)

    api = APIRouter(prefix="/api/v1")
    _daemon_routes(api, daemon)
    _deployment_routes(api, daemon)
    _action_routes(api, daemon)
    _state_routes(api, daemon)
    money_routes(api, daemon)
    _catalogue_routes(api, daemon)
    _stream_routes(api, daemon)
    app.include_router(api)
    return app


def _daemon_routes(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/status")
    async def status() -> Status:
        return await daemon.status()

    @api.get("/feeds")
    async def feeds() -> list[FeedView]:
        return await daemon.feeds()


def _deployment_routes(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/deployments")
    async def deployments() -> list[DeploymentRow]:
        return await daemon.deployments()

    @api.post("/deployments")
    async def start(request: StartRequest, response: Response, connection: Request) -> StartResult:
        # Said by the doorman of the socket; a listener that cannot tell whose a connection is has no owners.
        owner = connection.scope.get("state", {}).get("owner", False)
        result = await daemon.start(request, owner=owner)
        response.status_code = 201 if result.created else 200
        return result

    @api.get("/deployments/{deployment_id}")
    async def describe(deployment_id: Id) -> DeploymentDetail:
        return await daemon.describe(deployment_id)


def _action_routes(api: APIRouter, daemon: DaemonPort) -> None:
    verbs = {"stop": daemon.stop, "pause": daemon.pause, "resume": daemon.resume, "restart": daemon.restart}
    forgetting = {"reset-failed": daemon.reset_failed, "remove": daemon.remove}

    @api.post("/actions/{verb}")
    async def act(verb: str, request: ActionRequest) -> ActionResult:
        selection = Selection(ids=request.ids, account=request.account, all=request.all)
        if verb in forgetting:
            return await forgetting[verb](selection)
        if verb not in verbs:
            raise NotFound("verb", verb, near_matches(verb, (*verbs, *forgetting)))
        return await verbs[verb](selection, reason=request.reason, now=request.now, wait=request.wait)


def _state_routes(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/deployments/{deployment_id}/checkpoints")
    async def checkpoints(deployment_id: Id) -> list[CheckpointView]:
        return await daemon.checkpoints(deployment_id)

    @api.get("/deployments/{deployment_id}/state")
    async def state(
        deployment_id: Id, seq: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None
    ) -> Response:
        # Bytes, not opened: whoever asked decodes what a strategy wrote, and not the daemon.
        return Response(await daemon.state(deployment_id, seq), media_type="application/msgpack")

    @api.post("/deployments/{deployment_id}/checkpoints/{seq}/restore")
    async def restore(deployment_id: Id, seq: Seq) -> Outcome:
        return await daemon.restore_state(deployment_id, seq)

    @api.delete("/deployments/{deployment_id}/state")
    async def clear(deployment_id: Id) -> Outcome:
        return await daemon.clear_state(deployment_id)


def _catalogue_routes(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/strategies")
    async def strategies() -> dict[str, list[StrategyView]]:
        return {"strategies": await daemon.strategies()}

    @api.post("/strategies/rescan")
    async def rescan() -> RescanResult:
        return await daemon.rescan()

    # Not /strategies/register: that route takes source text over TCP, and comes with the HTTP issue.
    @api.post("/strategies/register-path", status_code=201)
    async def register(request: RegisterRequest) -> StrategyView:
        return await daemon.register(request.path)


def _stream_routes(api: APIRouter, daemon: DaemonPort) -> None:
    @api.get("/deployments/{deployment_id}/logs")
    async def logs(deployment_id: Id, n: Lines = 100, follow: bool = False) -> StreamingResponse:
        return _json_lines(await daemon.logs(deployment_id, n=n, follow=follow))

    @api.get("/events")
    async def events(n: Lines = 100, after: After = None, follow: bool = False) -> StreamingResponse:
        return _json_lines(await daemon.events(after=after, n=n, follow=follow))

    @api.get("/signals")
    async def signals(
        deployment_id: Annotated[str | None, Query(max_length=64)] = None,
        n: Lines = 100,
        after: After = None,
        follow: bool = False,
    ) -> StreamingResponse:
        return _json_lines(await daemon.signals(deployment_id, after=after, n=n, follow=follow))


def _json_lines(views: AsyncIterator[View]) -> StreamingResponse:
    async def lines() -> AsyncIterator[str]:
        async with contextlib.AsyncExitStack() as always_cleanup:
            if hasattr(views, "aclose"):
                always_cleanup.push_async_callback(views.aclose)
            async for view in views:
                yield view.model_dump_json() + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


# ---- errors ---------------------------------------------------------------------------------------
def _answer(problem: Problem, request: Request) -> Response:
    body = problem.model_copy(update={"instance": request.scope["path"]}).model_dump_json()
    return Response(body, status_code=problem.status, media_type="application/problem+json")


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StratdError)  # noqa: S101  (registered for it; narrows the type)
    return _answer(problem_of(error), request)


async def _on_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return _answer(problem_of(Invalid(map(_bad_field, error.errors()))), request)


def _bad_field(detail: dict[str, Any]) -> str:
    # FastAPI's place is ("body" | "query" | "path", name, ...): the name is what the client wrote.
    name = ".".join(str(part) for part in detail["loc"][1:]) or str(detail["loc"][0])
    message = str(detail.get("ctx", {}).get("error") or detail["msg"])
    value = detail.get("input")
    shown = "" if value is None or isinstance(value, dict | list) else f" = {str(value)[:80]!r}"
    return f"{name}{shown}: {message[:1].lower()}{message[1:]}"


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    return _answer(Problem(title=str(error.detail), status=error.status_code), request)


async def _on_bug(request: Request, error: Exception) -> Response:
    title = f"the daemon failed on this request ({type(error).__name__}); its log has the details"
    return _answer(Problem(type=INTERNAL, title=title, status=500), request)
