"""The one door into the application: who asks is known before any route is looked for.

A connection of the Unix socket brings its caller along, by the kernel's word (``protocol.py``). One of TCP
has to show a key with every request: ``X-API-Key``, or ``Authorization: Bearer`` (RFC 6750). Without one
there is nothing but what is in ``PUBLIC``; with a wrong one there is nothing at all. An address that shows
too many wrong keys waits; keys that are known already pass even then: no neighbour locks anybody out.
"""

from __future__ import annotations

import logging
from collections import Counter
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from supervisor.api.answers import refuse
from supervisor.api.caller import NOBODY, Caller, asking
from supervisor.api.caller import Scope as Permission
from supervisor.api.protocol import KNOWN
from supervisor.api.rates import Headers, Left, Rate
from supervisor.errors import Failed, Unauthenticated
from supervisor.keys import hooks
from supervisor.keys.keyring import Keyring
from supervisor.keys.record import KeyRecord
from supervisor.problems import problem_of
from supervisor.schema import Problem

PUBLIC: Final = frozenset({"/", "/health", "/livez", "/readyz", "/docs", "/openapi.json", "/favicon.ico"})
PUBLIC_FOLDERS: Final = ("/assets/", "/docs/")
MOST_AT_ONCE: Final = 256
"""Requests of one key that are open at the same time, streams and what is followed among them: none of them
need ever end, and each has a descriptor of the daemon's."""
RATE_LIMITED: Final = "urn:stratd:rate-limited"
RETRY: Final = [(b"retry-after", b"1")]
NO_KEY: Final = "a key is needed: send it as X-API-Key (`stratd keys create` makes one)"
log = logging.getLogger("stratd.api")


class Keys:
    """What the door asks: the keys, how often each may be used, how often an address may be wrong."""

    def __init__(self, keyring: Keyring, *, rate: str, failures: str) -> None:
        self.keyring = keyring
        self.set_rates(rate, failures)
        self.limited = 0
        """Requests that came too often."""

    def set_rates(self, rate: str, failures: str) -> None:
        """Have other limits from now on; what was counted by the old ones is forgotten."""
        self.rate = Rate("key", rate)
        self.failures = Rate("failures", failures)


class Door:
    """ASGI middleware: finds out who asks, and makes it known to all that is done for the request."""

    def __init__(self, app: ASGIApp, keys: Keys | None = None) -> None:
        self._app = app
        self._keys = keys
        self._open = Counter[str]()
        """Requests by the id of their key."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer that it may not pass."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        token = _webhook_token(scope)
        if token is not None or not isinstance(state.get("caller"), Caller):
            found = await self._who(scope, send, token)
            if found is None:
                return
            state["caller"], send = found
        asking.set(state["caller"])
        key = state["caller"].key
        if not key:
            await self._app(scope, receive, send)
            return
        if self._open[key] >= MOST_AT_ONCE:
            title = f"too many requests at once (the key {key}): {MOST_AT_ONCE} are open, end some"
            await refuse(Problem(type=RATE_LIMITED, title=title, status=429), scope, send, RETRY)
            return
        self._open[key] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._open[key] -= 1

    async def _who(self, scope: Scope, send: Send, token: str | None) -> tuple[Caller, Send] | None:
        """Return who asks, and how to answer; None if that is done. ``token``: of a webhook, in the path."""
        shown = shown_key(scope) if token is None else token
        if shown is None or self._keys is None:
            if self._keys is None or is_public(scope):
                return NOBODY, send
            await refuse(problem_of(Unauthenticated(NO_KEY)), scope, send, _challenge())
            return None
        record = await self._verified(self._keys, shown, scope, send)
        if record is None:
            return None
        if known := scope["state"].get(KNOWN):
            known()
        left = self._keys.rate.take(record.id)
        told = self._keys.rate.headers(left)
        if not left.within:
            self._keys.limited += 1
            await _too_often(scope, send, told, left, f"the key {record.id}")
            return None
        return caller_of(record), _telling(send, told)

    async def _verified(self, keys: Keys, shown: str, scope: Scope, send: Send) -> KeyRecord | None:
        if record := keys.keyring.known(shown):
            return record
        address = address_of(scope)
        left = keys.failures.left(address)
        if not left.within:
            await _too_often(scope, send, keys.failures.headers(left), left, f"wrong keys from {address}")
            return None
        try:
            return await keys.keyring.verify(shown)
        except Unauthenticated as error:
            keys.failures.take(address)
            log.warning("refused a key shown by %s: %s", address, error)
            await refuse(problem_of(error), scope, send, _challenge('error="invalid_token"'))
        except Failed as error:
            problem = problem_of(error).model_copy(update={"status": HTTPStatus.SERVICE_UNAVAILABLE})
            await refuse(problem, scope, send, RETRY)
        return None


def _webhook_token(scope: Scope) -> str | None:
    """Return the token that the path of an alert shows, None for another request.

    It is taken out of the path, also for a peer of the Unix socket: everything that is done from here on
    writes paths down (the audit trail, problem documents).
    """
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    found = hooks.shown_in(scope["path"])
    if found is None:
        return None
    token, scope["path"] = found
    scope["raw_path"] = scope["path"].encode()
    return token


def shown_key(scope: Scope) -> str | None:
    """Return the key that a request shows, None if it shows none."""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            return str(value.decode("latin-1"))
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return str(value[7:].decode("latin-1").strip())
    return None


def is_public(scope: Scope) -> bool:
    """Whether everybody may read this: pages and what a load balancer asks, nothing of the daemon's."""
    path = scope["path"]
    reads = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
    return reads and (path in PUBLIC or path.startswith(PUBLIC_FOLDERS))


def address_of(scope: Scope) -> str:
    """Return where a request comes from, "" for the Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def caller_of(record: KeyRecord) -> Caller:
    """Return who the owner of a key is."""
    known: tuple[Permission, ...] = ("read", "trade", "code", "admin")
    scopes = frozenset(scope for scope in known if scope in record.scopes)
    webhook = hooks.deployment_of(record)
    name = record.name or (f"webhook {record.id}" if webhook else record.id)
    return Caller(name=name, scopes=scopes, account=record.account, key=record.id, webhook=webhook)


def _challenge(more: str = "") -> Headers:
    # A connection that failed is not kept: the next guess pays for a new one.
    value = ", ".join(part for part in ('Bearer realm="stratd"', more) if part)
    return [(b"www-authenticate", value.encode()), (b"connection", b"close")]


async def _too_often(scope: Scope, send: Send, told: Headers, left: Left, whose: str) -> None:
    title = f"too many requests ({whose}): wait {left.seconds} s"
    await refuse(Problem(type=RATE_LIMITED, title=title, status=429), scope, send, told)


def _telling(send: Send, told: Headers) -> Send:
    async def tell(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *told]}
        await send(message)

    return tell
