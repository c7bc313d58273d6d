"""The application: routes by subject (``routes``), and the wall at which an error becomes a document.

Errors are RFC 9457 problem documents. An unexpected exception becomes an answer here: uvicorn logs it with
its traceback, the client is told where to look.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response, WebSocket
from fastapi.exceptions import (
    RequestValidationError,
    ValidationException,
    WebSocketRequestValidationError,
)
from msgspec import Struct
from starlette.exceptions import HTTPException

from supervisor.api.answers import MEDIA, document, refuse
from supervisor.api.auditing import Audit
from supervisor.api.body_limit import BodyLimit
from supervisor.api.bound import bound
from supervisor.api.door import Door, Keys
from supervisor.api.handshakes import Handshakes
from supervisor.api.idempotency import Durable, Idempotency
from supervisor.api.metering import Metering
from supervisor.api.openapi import describe
from supervisor.api.origins import Origins
from supervisor.api.port import DaemonPort
from supervisor.api.request_ids import RequestIds, request_id
from supervisor.api.routes.approvals import approval_routes
from supervisor.api.routes.candles import candle_routes
from supervisor.api.routes.catalogue import catalogue_routes
from supervisor.api.routes.changes import change_routes
from supervisor.api.routes.data import data_routes
from supervisor.api.routes.deployments import deployment_routes
from supervisor.api.routes.docs import docs_routes
from supervisor.api.routes.editing import editing_routes
from supervisor.api.routes.keys import key_routes
from supervisor.api.routes.limits import limit_routes
from supervisor.api.routes.lines import line_routes
from supervisor.api.routes.metrics import metrics_route
from supervisor.api.routes.money import money_routes
from supervisor.api.routes.notifications import notification_routes
from supervisor.api.routes.ops import ops_routes, probe_routes
from supervisor.api.routes.page import page_routes
from supervisor.api.routes.questions import question_routes
from supervisor.api.routes.records import record_routes
from supervisor.api.routes.register import LARGER, register_routes
from supervisor.api.routes.required import required_routes
from supervisor.api.routes.schedules import schedule_routes
from supervisor.api.routes.signals import signal_routes
from supervisor.api.routes.state import state_routes
from supervisor.api.routes.stream import stream_routes
from supervisor.api.routes.webhooks import webhook_routes
from supervisor.api.timeouts import Timeout
from supervisor.audit_trail import AuditTrail
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
    limit_routes,
    change_routes,
    question_routes,
    schedule_routes,
    record_routes,
    approval_routes,
    signal_routes,
    candle_routes,
    catalogue_routes,
    data_routes,
    register_routes,
    editing_routes,
    line_routes,
    stream_routes,
    key_routes,
    webhook_routes,
    notification_routes,
)
"""Who adds the routes below ``/api/v1``, one a subject."""
MOST_TOLD: Final = 50
"""Mistakes of one request that are told one by one: a body of a megabyte may hold 100,000."""


class Guards(Struct, frozen=True, kw_only=True):
    """What stands before the routes. Without ``keys`` nobody but a peer of the Unix socket comes in."""

    keys: Keys | None = None
    trail: AuditTrail | None = None
    durable: Durable | None = None
    timeout: float = 60.0
    """Seconds, of a request over TCP."""
    max_body: int = 2**20
    """Bytes; a longer one is refused with 413."""
    names: tuple[str, ...] = ()
    """By which a browser may ask besides localhost and addresses of this host alone (``origins.py``)."""


def build(daemon: DaemonPort, *, version: str, guards: Guards) -> FastAPI:
    """Return the application over ``daemon``, behind ``guards``."""
    # No redirects either: where to would be what the client's Host header says.
    app = FastAPI(
        title="stratd",
        version=version,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    # The last one added is asked first: the name of the request, whose page asks, who asks, the trail,
    # the clock, then what is read of it.
    app.add_middleware(Idempotency, durable=guards.durable)
    app.add_middleware(BodyLimit, most=guards.max_body, larger=LARGER)
    app.add_middleware(Timeout, seconds=guards.timeout)
    app.add_middleware(Audit, trail=guards.trail)
    app.add_middleware(Door, keys=guards.keys)
    app.add_middleware(Handshakes)
    app.add_middleware(Origins, names=guards.names)
    app.add_middleware(RequestIds)
    requests = Requests()
    app.add_middleware(Metering, requests=requests)
    app.add_exception_handler(StratdError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_bad_request)
    app.add_exception_handler(WebSocketRequestValidationError, _on_bad_handshake)
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
    docs_routes(app)
    describe(app)
    return app


# ---- errors ---------------------------------------------------------------------------------------
def _answer(problem: Problem, request: Request) -> Response:
    answer = Response(document(problem, request.scope), problem.status, media_type=MEDIA)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = 'Bearer realm="stratd"'
    return answer


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StratdError)  # noqa: S101  (registered for it; narrows the type)
    return _answer(problem_of(error), request)


async def _on_bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    return _answer(problem_of(_bad_fields(error)), request)


async def _on_bad_handshake(socket: WebSocket, error: Exception) -> None:
    assert isinstance(error, WebSocketRequestValidationError)  # noqa: S101
    await refuse(problem_of(_bad_fields(error)), socket.scope, socket.send)


def _bad_fields(error: ValidationException) -> Invalid:
    mistakes = error.errors()
    told = [_bad_field(one) for one in mistakes[:MOST_TOLD]]
    more = len(mistakes) - len(told)
    return Invalid([*told, f"and {more:,} more mistakes"] if more else told)


def _bad_field(detail: dict[str, Any]) -> str:
    if detail["loc"] == ("body",) and isinstance(detail.get("input"), bytes):
        return "body: is not said to be JSON: send it with Content-Type: application/json"
    if detail["type"] == "json_invalid":  # its place is ("body", the character)
        why = detail.get("ctx", {}).get("error", "").lower()
        return f"body: is not JSON: {why} at character {detail['loc'][-1]}"
    # FastAPI's place is ("body" | "query" | "path", name, ...): the name is what the client wrote.
    name = ".".join(str(part) for part in detail["loc"][1:]) or str(detail["loc"][0])
    message = str(detail.get("ctx", {}).get("error") or detail["msg"])
    value = detail.get("input")
    shown = "" if value is None or isinstance(value, dict | list) else f" = {str(value)[:80]!r}"
    return f"{name}{shown}: {message[:1].lower()}{message[1:]}"


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    answer = _answer(Problem(title=str(error.detail), status=error.status_code), request)
    answer.headers.update(error.headers or {})  # Allow, of 405 (RFC 9110, 15.5.6)
    return answer


async def _on_bug(request: Request, error: Exception) -> Response:
    title = f"the daemon failed on this request ({type(error).__name__}); its log has the details"
    answer = _answer(Problem(type=INTERNAL, title=title, status=500), request)
    # This answer is made outside of everything, where nobody adds it.
    answer.headers["X-Request-Id"] = request_id(request.scope)
    return answer
