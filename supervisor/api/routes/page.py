"""The dashboard: one page and its assets, static files of this package served at ``/`` and ``/assets/``.

Rules of this file. What is served is a table of what the folder held when it was first asked for: no path
that a client writes ever reaches the file system. The page needs no key, for it knows nothing; each of its
requests to the API does. Nothing inline and nothing foreign is allowed to run in it (``POLICY``).
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response
from msgspec import Struct
from starlette.exceptions import HTTPException

FOLDER: Final = Path(__file__).resolve().parents[1] / "page"
"""The files, as they lie in the wheel."""

TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
"""What is served, by suffix; a file of any other kind is not."""

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; "  # data: is the arrow that a browser draws for a select
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Content Security Policy, level 3: scripts, styles and requests of this origin only, nothing inline.

No Trusted Types policy may be made, so a string that somebody wrote cannot become HTML, even by mistake.
"""

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",  # for browsers older than frame-ancestors
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "vary": "accept-encoding",
}

ASK_AGAIN: Final = "no-cache"
"""May be kept, and is to be asked about each time: a new stratd is a new page at once (RFC 9111, 5.2.2.4)."""
FOR_EVER: Final = "public, max-age=31536000, immutable"
"""Of files with their version in their name (RFC 8246)."""
_VERSIONED: Final = re.compile(r"-\d+\.\d+\.\d+\.js$")
_COMPRESSED_FROM: Final = 1024


class Asset(Struct, frozen=True, kw_only=True):
    """One file: its bytes, the same compressed (empty where that is no gain), and what is said of both."""

    body: bytes
    compressed: bytes
    media_type: str
    etag: str
    caching: str


def load(folder: Path) -> dict[str, Asset]:
    """Return every file of ``folder`` that is served, by its path in it. Blocks for some 20 ms."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in TYPES)
    return {path.relative_to(folder).as_posix(): _asset(path) for path in files}


def _asset(path: Path) -> Asset:
    caching = FOR_EVER if _VERSIONED.search(path.name) else ASK_AGAIN
    return asset_of(path.read_bytes(), TYPES[path.suffix], caching=caching)


def asset_of(body: bytes, media_type: str, *, caching: str = ASK_AGAIN) -> Asset:
    """Return ``body`` as it is served, compressed where that is a gain."""
    # mtime=0: the same bytes give the same bytes, whenever they are compressed.
    compressed = gzip.compress(body, mtime=0) if len(body) >= _COMPRESSED_FROM else b""
    return Asset(
        body=body,
        compressed=compressed,
        media_type=media_type,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        caching=caching,
    )


def answer(asset: Asset, *, encodings: str, known: str) -> Response:
    """Return ``asset`` to who accepts ``encodings`` and has the entity tags ``known`` ("" for none)."""
    zipped = bool(asset.compressed) and "gzip" in [_coding(part) for part in encodings.split(",")]
    # A strong tag names one representation: the compressed one has another (RFC 9110, 8.8.3.3).
    etag = f'{asset.etag[:-1]}-gzip"' if zipped else asset.etag
    headers = {**HEADERS, "etag": etag, "cache-control": asset.caching}
    if known.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]:
        return Response(status_code=304, headers=headers)
    if zipped:
        headers["content-encoding"] = "gzip"
    return Response(asset.compressed if zipped else asset.body, headers=headers, media_type=asset.media_type)


def _coding(part: str) -> str:
    """Return the coding that an element of Accept-Encoding allows, "" if it forbids it (RFC 9110, 12.5.3)."""
    name, _, weight = part.partition(";")
    return "" if re.fullmatch(r"\s*q=0(\.0*)?\s*", weight) else name.strip().lower()


class Shelf:
    """The files of one folder, read once, when the first of them is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._reading = asyncio.Lock()
        self._assets: dict[str, Asset] | None = None

    async def get(self, name: str) -> Asset | None:
        """Return one file, None if there is none of that name."""
        async with self._reading:
            if self._assets is None:
                self._assets = await asyncio.to_thread(load, self._folder)
        return self._assets.get(name)


def page_routes(app: FastAPI) -> None:
    """Add the page to ``app``: outside of ``/api``, and not in its schema."""
    shelf = Shelf(FOLDER)

    async def give(request: Request, name: str) -> Response:
        asset = await shelf.get(name)
        if asset is None:
            raise HTTPException(404, f"there is no file {name[:200]!r} here")
        headers = request.headers
        return answer(
            asset, encodings=headers.get("accept-encoding", ""), known=headers.get("if-none-match", "")
        )

    async def page(request: Request) -> Response:
        return await give(request, "index.html")

    async def asset(request: Request) -> Response:
        return await give(request, request.path_params["name"])

    # Starlette's routes, which answer HEAD as well; there is nothing to validate.
    app.add_route("/", page, include_in_schema=False)
    app.add_route("/assets/{name:path}", asset, include_in_schema=False)
