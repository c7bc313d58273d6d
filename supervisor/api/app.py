"""The application: routes by subject (``routes``), and the wall at which an error becomes a document.

Errors are RFC 9457 problem documents. An unexpected exception becomes an answer here: uvicorn logs it with
its traceback, the client is told where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from supervisor.api.body_limit import BodyLimit
from supervisor.api.bound import bound
from supervisor.api.door import Door
from supervisor.api.metering import Metering
from supervisor.api.port import DaemonPort
from supervisor.api.routes.candles import candle_routes
from supervisor.api.routes.catalogue import catalogue_routes
from supervisor.api.routes.changes import change_routes
from supervisor.api.routes.data import data_routes
from supervisor.api.routes.deployments import deployment_routes
from supervisor.api.routes.lines import line_routes
from supervisor.api.routes.metrics import metrics_route
from supervisor.api.routes.money import money_routes
from supervisor.api.routes.ops import ops_routes, probe_routes
from supervisor.api.routes.page import page_routes
from supervisor.api.routes.records import record_routes
from supervisor.api.routes.required import required_routes
from supervisor.api.routes.signals import signal_routes
from supervisor.api.routes.state import state_routes
from supervisor.api.routes.stream import stream_routes
from supervisor.errors import Invalid, StratdError
from supervisor.metrics.requests import Requests
from supervisor.problems import INTERNAL, problem_of
from supervisor.schema import Problem

ROUTES: Final[tuple[Callable[[APIRouter, DaemonPort], None], ...]] = (
    ops_routes,
    required_routes,
    deployment_routes,
    state_routes,
    money_routes,
    change_routes,
    record_routes,
    signal_routes,
    candle_routes,
    catalogue_routes,
    data_routes,
    line_routes,
    stream_routes,
)
"""Who adds the routes below ``/api/v1``, one a subject."""


def build(daemon: DaemonPort, *, version: str, max_body: int) -> FastAPI:
    """Return the application over ``daemon``; a body over ``max_body`` bytes is refused with 413."""
    app = FastAPI(title="stratd", version=version, docs_url=None, redoc_url=None)
    app.add_middleware(BodyLimit, most=max_body)
    app.add_middleware(Door)
    requests = Requests()
    app.add_middleware(Metering, requests=requests)
    app.add_exception_handler(StratdError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_bug)

    api = APIRouter(prefix="/api/v1")
    seen = bound(daemon)
    probe_routes(app, seen, version)
    for add in ROUTES:
        add(api, seen)
    app.include_router(api)
    metrics_route(app, seen, requests)
    page_routes(app)
    return app


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
