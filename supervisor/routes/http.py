"""The route to a trading gateway over HTTP; docs/routing.md has its side of it.

Rules of this file. A status says whether an order was taken, and only where it certainly was not may it be
tried again without being asked for first. An answer that cannot be read is none. Redirects are not followed:
they would take the key and the order to where nobody said. No error has the URL, which may hold a password,
or a text of the client's, which may hold the URL.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

import httpx2
import msgspec

from supervisor.outbound import open_client
from supervisor.routes import wire
from supervisor.routes.route import (
    Answer,
    NotTaken,
    Refused,
    RouteUnusable,
    Sendable,
    Told,
    Unreachable,
)
from supervisor.routes.spec import RouteSpec

NEVER_BEGUN: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
)
"""No byte of the question has left."""
BUSY: Final = frozenset({425, 429})
ELSEWHERE: Final = frozenset({401, 403, 404, 405, 407, 421, 426})
"""About the way, not about the order: a wrong key or URL is put right while an exit is tried again."""
IN_DOUBT: Final = frozenset({408, 409})
"""Request timeout; conflict with the same order, which is there already or is being taken."""


class HttpRoute:
    """A gateway. The key goes out as ``Authorization: Bearer``."""

    def __init__(self, spec: RouteSpec) -> None:
        self._spec = spec
        self._client: httpx2.AsyncClient | None = None

    async def start(self, told: Told) -> None:  # noqa: ARG002  (it says nothing unasked)
        """Make the client; connections come with the first order."""
        spec = self._spec
        self._client = open_client(spec.url, spec.key, timeout=spec.timeout, connections=2 * spec.at_once)

    async def send(self, order: Sendable) -> Answer:
        """``POST orders``."""
        name = order.order.order_id
        headers = {"Content-Type": "application/json", "Idempotency-Key": name}
        status, text, after = await self._ask(
            "POST", "orders", headers, msgspec.json.encode(wire.body(order))
        )
        return _taken(status, text, after, name)

    async def query(self, order_id: str) -> Answer | None:
        """``GET orders/ID``."""
        return _known(*await self._ask("GET", _path(order_id), {}, None), order_id)

    async def cancel(self, order_id: str) -> Answer | None:
        """``DELETE orders/ID``."""
        status, text, after = await self._ask("DELETE", _path(order_id), {}, None)
        if status in {202, 204} and not text:  # it was heard; what has become of the order is to be asked
            return await self.query(order_id)
        if status == 409:
            raise Refused(f"{status} {_words(text)}".strip())
        return _known(status, text, after, order_id)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], content: bytes | None
    ) -> tuple[int, bytes, float | None]:
        """Return status, body (at most ``LARGEST`` bytes and one) and Retry-After in seconds."""
        if self._client is None:
            raise NotTaken("the route is not open")
        try:
            async with self._client.stream(method, path, headers=headers, content=content) as response:
                text = b""
                async for part in response.aiter_bytes():
                    text += part
                    if len(text) > wire.LARGEST:
                        break
                return response.status_code, text, _seconds(response.headers.get("Retry-After"))
        except NEVER_BEGUN as error:
            raise NotTaken(f"cannot connect ({type(error).__name__})") from None
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, OSError) as error:
            raise Unreachable(f"no answer ({type(error).__name__})") from None


def _path(order_id: str) -> str:
    return f"orders/{quote(order_id, safe='')}"


def _known(status: int, text: bytes, after: float | None, order_id: str) -> Answer | None:
    """Return the answer to a question about an order, None for one that was never heard of."""
    if status != 404:
        return _taken(status, text, after, order_id)
    if _names(text, order_id):
        return None
    # A wrong URL, or a proxy's page, is not the gateway's word.
    raise Unreachable("404, and not by the gateway: it does not name the order")


def _taken(status: int, text: bytes, after: float | None, order_id: str) -> Answer:
    """Return the answer in a response, or raise what its status means for the order."""
    if 200 <= status < 300:
        answer = wire.read(text, order_id)
        if answer is None:
            raise Unreachable(f"{status}, with an answer that cannot be read")
        return answer
    said = f"{status} {_words(text)}".strip()
    if status in BUSY:
        raise NotTaken(said, retry_after=after, busy=True)
    if status in ELSEWHERE or 300 <= status < 400:
        raise NotTaken(said)
    if status in IN_DOUBT or status >= 500:
        raise Unreachable(said, retry_after=after)
    raise Refused(said)


def _names(text: bytes, order_id: str) -> bool:
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(said, dict) and said.get("order_id") == order_id


def _words(text: bytes) -> str:
    """Return what a body says in its ``detail``, "" if it says nothing that way."""
    try:
        said = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    detail = said.get("detail") if isinstance(said, dict) else None
    return wire.plain(detail) if isinstance(detail, str) else ""


def _seconds(value: str | None) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3) in its form of seconds; a date is passed over."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None


def open_route(spec: RouteSpec) -> HttpRoute:
    """Return the route. Raises ``RouteUnusable``."""
    try:
        parts = urlsplit(spec.url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RouteUnusable("url: must be a URL that begins with http:// or https://")
    if parts.username or parts.password:  # the client would send these instead of the key
        raise RouteUnusable("url: must not hold a user or a password; what the gateway asks for is the key")
    return HttpRoute(spec)
