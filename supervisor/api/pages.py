"""Pages of long lists: ``?limit=&cursor=`` in, ``Link: <...>; rel="next"`` out (RFC 8288).

A cursor is opaque: it says after which row the next page begins, by that row's own key, so what is added
or removed meanwhile neither repeats a row nor skips one. Without ``limit`` a list is whole.

::

    @api.get("/things", dependencies=[needs("read")])
    async def things(page: Paging) -> list[Thing]:
        return page.of(await daemon.things(), key=lambda thing: thing.id)

Whoever reads a page from a database asks it for ``page.take`` rows after ``page.after`` and gives them to
``page.of`` all the same.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response

from supervisor.errors import Invalid

MOST = 1000
"""Rows of one page, at most."""
T = TypeVar("T")
Key = int | str
"""What rows are told apart and ordered by."""


def encode(key: Key) -> str:
    """Return the cursor that stands after the row with ``key``."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode(cursor: str) -> Key:
    """Return the key behind a cursor; raises ``Invalid`` for what is none."""
    try:
        key = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if isinstance(key, bool) or not isinstance(key, int | str) or encode(key) != cursor:
        raise Invalid([f"cursor = {cursor[:80]!r}: is none that a page of this list has named"])
    return key


class Page:
    """One page of a request: after which row it begins, and how many rows it may have."""

    def __init__(self, request: Request, response: Response, limit: int | None, cursor: str | None) -> None:
        self.limit = limit
        self.after: Key | None = decode(cursor) if cursor else None
        self._request = request
        self._response = response

    @property
    def take(self) -> int | None:
        """How many rows to read: one more than are shown tells whether there are more. None: all."""
        return None if self.limit is None else self.limit + 1

    def of(self, rows: Iterable[T], *, key: Callable[[T], Key], descending: bool = False) -> list[T]:
        """Return the rows of this page, and name the next page in the answer's ``Link``.

        ``rows`` are in ascending order of ``key`` (or descending), all of them or from ``after`` on.
        """
        after = self.after
        rest = [row for row in rows if after is None or _behind(key(row), after, descending=descending)]
        if self.limit is None or len(rest) <= self.limit:
            return rest
        shown = rest[: self.limit]
        given: dict[str, Any] = dict(self._request.query_params)
        query = urlencode({**given, "cursor": encode(key(shown[-1]))})
        self._response.headers["Link"] = f'<{self._request.url.path}?{query}>; rel="next"'
        return shown


def _behind(key: Key, after: Key, *, descending: bool) -> bool:
    if type(key) is not type(after):
        raise Invalid(["cursor: is of another list"])
    return key < after if descending else key > after  # type: ignore[operator]  # of one type, as just seen


def _page(
    request: Request,
    response: Response,
    limit: Annotated[int | None, Query(ge=1, le=MOST, description="Rows of a page; all without it.")] = None,
    cursor: Annotated[
        str | None, Query(max_length=400, description="As the page before named it in `Link`.")
    ] = None,
) -> Page:
    return Page(request, response, limit, cursor)


Paging = Annotated[Page, Depends(_page)]
"""The type of a route's parameter: ``page: Paging``."""
