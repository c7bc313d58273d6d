"""Whose page a browser asks for, by what it cannot be made to leave out: ``Host`` and ``Origin``.

A page whose name somebody makes to point at 127.0.0.1 (DNS rebinding) is of the same origin as the daemon to
the browser, and says its own name in ``Host``. So where TCP is for this host alone, and no certificate says
whose name it is, only names of this host are answered (421: RFC 9110, 15.5.20). A page of elsewhere may not
change anything either, nor open a WebSocket, which browsers ask no one's leave for: it says where it is from
in ``Origin`` (RFC 6454). Neither is what lets anybody in: that is the key.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from supervisor.api.answers import refuse
from supervisor.api.timeouts import SAFE
from supervisor.problems import REFUSED
from supervisor.schema import Problem

MISDIRECTED: Final = "urn:stratd:misdirected"
LOCAL: Final = "over_loopback"
"""In the state of a connection: it came to a listener of this host alone, in plain text (``protocol.py``)."""
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
SHOWN: Final = 100
"""Characters of a header that are repeated."""
Authority = tuple[str, int | None]


class Origins:
    """ASGI middleware, outside of the door: what it refuses is not asked for a key."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = frozenset(map(_plain, names))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it was meant for another, or comes from another's page."""
        refusal = None if scope["type"] == "lifespan" else self._refusal(scope)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            # A connection that is another's is not kept: nothing more of it is for us.
            await refuse(refusal, scope, send, [(b"connection", b"close")])

    def _refusal(self, scope: Scope) -> Problem | None:
        state = scope.get("state", {})
        if not state.get("over_tcp"):
            return None  # no browser speaks to a Unix socket
        host, origin = header(scope, b"host"), header(scope, b"origin")
        # Who names no host is no browser: HTTP/1.0 of a load balancer, which need not (RFC 9110, 7.2).
        if state.get(LOCAL) and host is not None and not is_local(host, self._names):
            return Problem(
                type=MISDIRECTED,
                title=f"Host: {host[:SHOWN]!r} is no name of this daemon: ask for localhost, 127.0.0.1 or "
                "[::1], or add the name to [api] names",
                status=HTTPStatus.MISDIRECTED_REQUEST,
            )
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        if changes and origin is not None and not is_own(origin, host, self._names):
            return Problem(
                type=REFUSED,
                title=f"refused by origin: Origin: {origin[:SHOWN]!r} is another's page; only the daemon's "
                "own may change anything or open a WebSocket (see [api] names)",
                status=HTTPStatus.FORBIDDEN,
                rule="origin",
            )
        return None


def header(scope: Scope, wanted: bytes) -> str | None:
    """Return the value of a header, None if it was not sent; ``wanted`` in small letters."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), None)


def is_local(host: str, names: Iterable[str] = ()) -> bool:
    """Whether a ``Host`` is one of ``names``, localhost, or an address of this host alone; any port.

    Addresses are safe: what is written as one is looked up nowhere, so nobody can make it point elsewhere.
    """
    found = authority(host)
    if found is None:
        return False
    if found[0] == "localhost" or found[0] in names:
        return True
    try:
        return ipaddress.ip_address(found[0]).is_loopback
    except ValueError:
        return False


def is_own(origin: str, host: str | None, names: Iterable[str] = ()) -> bool:
    """Whether an ``Origin`` is the daemon's own: that of ``host``, or of one of ``names`` behind a proxy.

    ``null`` (a sandboxed frame, a file) is nobody's.
    """
    scheme, separator, rest = origin.partition("://")
    theirs = authority(rest)
    if not separator or theirs is None or scheme not in DEFAULT_PORTS:
        return False
    if theirs[0] in names:
        return True
    ours = None if host is None else authority(host)
    # A port that is the scheme's own is left out by browsers, in both headers alike; a proxy may add it.
    default = DEFAULT_PORTS[scheme]
    return ours is not None and (ours[0], ours[1] or default) == (theirs[0], theirs[1] or default)


def authority(text: str) -> Authority | None:
    """Return host and port of ``HOST[:PORT]``, small letters, no brackets; None if it is none."""
    if any(sign in text for sign in "/?#@\\ \t"):
        return None
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port
    except ValueError:
        return None
    return (_plain(parts.hostname), port) if parts.hostname else None


def _plain(name: str) -> str:
    return name.lower().strip("[]").removesuffix(".")
