"""The document at ``/openapi.json``: what FastAPI finds in the routes, and what is true of all of them.

Rules of this file. What is of one route stands at that route: its words in its docstring, its shapes in its
annotations. Here is what they share: groups, keys, and that every error is a problem document (RFC 9457).
``described`` is pure; ``describe`` puts it in the place of FastAPI's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI

from supervisor.api.examples import EXAMPLES
from supervisor.schema import Problem

PROBLEM: Final = "application/problem+json"
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Running": ("execute", "backtest"),
    "Catalogue": ("strategies", "catalogue", "strategy-types"),
    "Deployments": ("deployments", "actions"),
    "Accounts": ("accounts", "positions", "orders", "trades"),
    "Signals": ("signals", "webhooks"),
    "Data": ("symbols", "candles", "feeds", "calendar", "indicators"),
    "Stream": ("events", "stream"),
    "Admin": ("api-keys", "audit", "notifications"),
}
"""Groups of routes by the first segment behind ``/api/v1``; all others are of the last one."""
REST: Final = "Operations"
OPEN: Final = frozenset({"/health", "/livez", "/readyz"})
"""What needs no key."""
ERRORS: Final[dict[int, str]] = {
    400: "The request is no HTTP or no JSON that can be read",
    401: "No key, or one that is not valid",
    403: "Not allowed; `rule` names what refused",
    404: "No such thing; `near` names what may have been meant",
    405: "Not with this method",
    408: "The request took too long",
    409: "Understood and tried, and it did not work; or the same request is under way",
    412: "Changed since it was read (`If-Match`)",
    413: "The body is too large",
    415: "The body is of another media type",
    422: "Something in the request is wrong; `errors` has every mistake",
    428: "Has to be confirmed first",
    429: "Too many requests with this key",
    500: "A fault of the daemon; its log has the details",
    501: "This version cannot do it",
    503: "What would answer cannot be read now, or there is no room; asking again may help",
    504: "No answer in time: what only reads was broken off, what changes something may still be done",
}
NO_PARAMETERS: Final = {("header", "accept"), ("header", "content-type"), ("header", "authorization")}
KEYS: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "A key of `stratd keys`."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The same, as a bearer token."},
}
ABOUT: Final = """\
Runs trading strategies of many users, each in a sandboxed process of its own.

Instants are integers: nanoseconds since the Unix epoch, UTC. Spans are seconds, or as the name says.
Memory is MiB in fields that end in `_mb`. `null` is unknown, never zero.
Every error is a problem document (RFC 9457).
"""


def describe(app: FastAPI) -> None:
    """Let ``app`` answer ``/openapi.json`` with the whole document, made when it is first asked for."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = described(plain())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def described(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with groups, keys, problem documents and examples."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own shape of 422, which nobody gets
        schemas.pop(name, None)
    for name, example in EXAMPLES.items():
        if name in schemas:
            schemas[name].setdefault("examples", [example])
    components["securitySchemes"] = KEYS
    components["responses"] = {f"Problem{status}": _problem(told) for status, told in ERRORS.items()}
    for path, method, operation in _operations(document):
        operation["tags"] = [group_of(path)]
        operation["security"] = [] if path in OPEN else [{name: []} for name in KEYS]
        _drop_headers(operation)
        _say(operation)
        _answer(path, method, operation)
    document["info"]["description"] = ABOUT
    document["tags"] = [{"name": name} for name in (*GROUPS, REST)]
    return document


def group_of(path: str) -> str:
    """Return the group of a path, by its first segment behind the prefix."""
    first = path.removeprefix("/api/v1/").partition("/")[0]
    return next((name for name, those in GROUPS.items() if first in those), REST)


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _drop_headers(operation: dict[str, Any]) -> None:
    """Drop the headers that OpenAPI describes otherwise, and ignores as parameters (3.1.1, 4.8.12.1)."""
    if "parameters" in operation:
        given = operation["parameters"]
        operation["parameters"] = [
            one for one in given if (one["in"], one["name"].lower()) not in NO_PARAMETERS
        ]


def _say(operation: dict[str, Any]) -> None:
    """Take the first sentence of the docstring for a summary, where FastAPI takes the function's name."""
    name = operation["operationId"].partition("_api_v1")[0].replace("_", " ").title()
    words = operation.get("description", "").partition("\n\n")[0].replace("\n", " ")
    if operation.get("summary") == name and words:
        operation["summary"] = words.partition(". ")[0].rstrip(".")


def _answer(path: str, method: str, operation: dict[str, Any]) -> None:
    answers = operation["responses"]
    for status in ERRORS:
        given = answers.get(str(status))
        if given is not None and not _is_default(given):
            continue
        if _may(status, path, method, operation):
            answers[str(status)] = {"$ref": f"#/components/responses/Problem{status}"}


def _is_default(answer: dict[str, Any]) -> bool:
    """Whether FastAPI put it there, or a route only said that it is a problem."""
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).endswith(("/HTTPValidationError", "/Problem"))


def _may(status: int, path: str, method: str, operation: dict[str, Any]) -> bool:
    """Whether an operation can be answered with ``status`` at all."""
    if path in OPEN:
        return status in (405, 500)
    if status == 501:
        return "501" in operation["responses"]
    if status == 412:
        return any(one["name"].lower() == "if-match" for one in operation.get("parameters", ()))
    if status in (413, 415):
        return "requestBody" in operation
    if status == 428:
        return method == "post"
    return True


def _problem(told: str) -> dict[str, Any]:
    return {
        "description": told,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
