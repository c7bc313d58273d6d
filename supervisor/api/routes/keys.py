"""API keys, and the audit trail: who may come in, and what they did."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Path, Response

from supervisor.api.caller import Caller, caller, needs
from supervisor.api.pages import Paging
from supervisor.errors import Invalid, Refused
from supervisor.schema.keys import AuditView, KeyCreated, KeyRequest, KeyView

Who = Annotated[Caller, Depends(caller)]
PAGE = 100
"""Records of the audit trail without a ``limit``: it is long."""


class AccessPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def create_key(self, request: KeyRequest, *, by: str) -> KeyCreated:
        """Make a key; its text is in the answer and nowhere else."""
        ...

    async def keys(self) -> list[KeyView]:
        """Return every key, the oldest first."""
        ...

    async def revoke_key(self, key_id: str, *, by: str) -> KeyView:
        """Take a key back: the next request with it is refused."""
        ...

    async def audit(self, before: int | None, limit: int) -> list[AuditView]:
        """Return up to ``limit`` records numbered below ``before``, the newest first."""
        ...


def key_routes(api: APIRouter, daemon: AccessPort) -> None:
    """Add the routes to ``api``."""

    @api.post("/api-keys", status_code=201, dependencies=[needs("admin")], tags=["admin"])
    async def create(request: KeyRequest, response: Response, who: Who) -> KeyCreated:
        """Make a key. Its text is in this answer, once."""
        lacking = sorted(set(request.scopes) - who.scopes)
        if lacking:
            raise Refused("scope", f"{who.name} cannot give what it has not: {', '.join(lacking)}")
        response.headers["Cache-Control"] = "no-store"
        return await daemon.create_key(request, by=who.name)

    @api.get("/api-keys", dependencies=[needs("admin")], tags=["admin"])
    async def keys(page: Paging) -> list[KeyView]:
        """Every key that there is, without its secret."""
        ordered = sorted(await daemon.keys(), key=lambda one: one.id)
        return page.of(ordered, key=lambda one: one.id)

    @api.delete("/api-keys/{key_id}", dependencies=[needs("admin")], tags=["admin"])
    async def revoke(key_id: Annotated[str, Path(max_length=64)], who: Who) -> KeyView:
        """Take a key back: it is refused from the next request on."""
        return await daemon.revoke_key(key_id, by=who.name)

    @api.get("/audit", dependencies=[needs("admin")], tags=["admin"])
    async def audit(page: Paging) -> list[AuditView]:
        """Who was to change what, the newest first."""
        page.limit = page.limit or PAGE
        if isinstance(page.after, str):
            raise Invalid(["cursor: is of another list"])
        records = await daemon.audit(page.after, page.limit + 1)
        return page.of(records, key=lambda one: one.number, descending=True)
