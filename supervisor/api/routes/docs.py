"""``/docs``: the API to read and to try, by a copy of Swagger UI that lies in the wheel.

FastAPI's own page loads it from a network of somebody else's, which a trading host may not reach and should
not trust. The copy is that of npm's ``swagger-ui-dist``, untouched but for the names of its files and the
comments that point at source maps; its licence lies beside it.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from supervisor.api.routes.page import Asset, Shelf, answer, asset_of

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs_page"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content Security Policy: scripts and requests of this origin only. Swagger UI writes styles into its own
elements, which the page of the dashboard does not."""


class _Document:
    """``/openapi.json``: made once, on a thread, when it is first asked for.

    It takes a second, and who asks needs no key: 200 KB written anew for each would hold the loop.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._making = asyncio.Lock()
        self._made: Asset | None = None

    async def get(self) -> Asset:
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
        return self._made

    def _make(self) -> Asset:
        text = json.dumps(self._app.openapi(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return asset_of(text.encode(), "application/json")


def docs_routes(app: FastAPI) -> None:
    """Add the page to ``app``: not in its schema, and without a key, for it only shows what that is."""
    shelf = Shelf(FOLDER)

    async def give(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        asset = await shelf.get(name)
        if asset is None:
            raise HTTPException(404, f"there is no file {name[:200]!r} here")
        headers = request.headers
        given = answer(
            asset, encodings=headers.get("accept-encoding", ""), known=headers.get("if-none-match", "")
        )
        given.headers["content-security-policy"] = POLICY
        return given

    document = _Document(app)

    async def schema(request: Request) -> Response:
        headers = request.headers
        return answer(
            await document.get(),
            encodings=headers.get("accept-encoding", ""),
            known=headers.get("if-none-match", ""),
        )

    app.add_route("/openapi.json", schema, include_in_schema=False)
    app.add_route("/docs", give, include_in_schema=False)
    app.add_route("/docs/{name:path}", give, include_in_schema=False)
