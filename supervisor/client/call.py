"""One request, as data: made by a function of ``calls``, carried out by whichever client. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from supervisor.client.errors import NotFound, Unsendable

READ_TIMEOUT: Final = 30.0
"""Seconds between two pieces of an answer that the daemon gives out of memory."""
ACTION_TIMEOUT: Final = 900.0
"""For what waits for a start or a stop: longer than any timeout that the daemon itself may have."""
PREFIX: Final = "/api/v1/"

T = TypeVar("T")
JSON: Final = "application/json"


class Call(NamedTuple, Generic[T]):
    """A request whose answer is a ``T``: bytes as they came, or what JSON of that shape is decoded into.

    ``target`` is path and query. ``timeout`` None: as long as it takes (a follower). ``headers`` are those
    that belong to the request itself; who asks, and the key against doing it twice, come from the client.
    """

    method: str
    target: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    timeout: float | None = READ_TIMEOUT

    @property
    def changes(self) -> bool:
        """Whether it may change anything (RFC 9110, 9.2.1)."""
        return self.method not in ("GET", "HEAD")


def get(
    route: str, query: Mapping[str, Any] | None = None, *, timeout: float | None = READ_TIMEOUT
) -> Call[Any]:
    """Describe ``GET /api/v1/ROUTE``; what is None in ``query`` is left out."""
    return Call("GET", target(route, query), timeout=timeout)


def send(
    method: str,
    route: str,
    body: Mapping[str, Any] | None = None,
    *,
    query: Mapping[str, Any] | None = None,
    if_match: str | None = None,
    timeout: float = ACTION_TIMEOUT,
) -> Call[Any]:
    """Describe a request with a JSON body. ``if_match``: only if the thing is still as that ETag names it."""
    headers = (("If-Match", if_match),) if if_match else ()
    if body is None:
        return Call(method, target(route, query), None, headers, timeout)
    return Call(method, target(route, query), json_bytes(body), (("Content-Type", JSON), *headers), timeout)


def given(**values: Any) -> dict[str, Any]:
    """Return what was given: everything that is not None."""
    return {name: value for name, value in values.items() if value is not None}


def listed(values: Sequence[T] | None) -> list[T] | None:
    """Return ``values`` as JSON has them; None, which ``given`` leaves out, stays None."""
    return None if values is None else list(values)


def json_bytes(body: Mapping[str, Any]) -> bytes:
    """Return ``body`` as JSON. ``Unsendable`` for what JSON has no word for."""
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise Unsendable(f"this cannot be said in JSON: {error}") from None


def target(route: str, query: Mapping[str, Any] | None = None) -> str:
    """Return path and query; a ``route`` that begins with a slash is not below /api/v1."""
    path = route if route.startswith("/") else PREFIX + route
    asked = [(name, _text(value)) for name, value in (query or {}).items() if value is not None]
    return f"{path}?{urlencode(asked)}" if asked else path


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def segment(name: str, kind: str = "deployment") -> str:
    """Return a name as one segment of a route; what cannot be one is nothing's name: ``NotFound``."""
    if not name or "/" in name or name in (".", ".."):  # a server takes %2F for a slash
        raise NotFound({"type": "urn:stratd:not-found", "title": f"no {kind} {name!r}", "status": 404})
    return quote(name, safe="")
