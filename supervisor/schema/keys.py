"""API keys, and the audit trail."""

# ruff: noqa: RUF012  (pydantic copies a default for each object)
from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BeforeValidator, Field, WithJsonSchema

from supervisor.quantities import parse_duration
from supervisor.schema.base import Request, View
from supervisor.schema.requests import AccountId

Scope = Literal["read", "trade", "code", "admin"]
TEN_YEARS = 3660 * 86_400.0


ExpiresIn: TypeAlias = (
    Annotated[
        float,
        BeforeValidator(parse_duration),
        Field(ge=60, le=TEN_YEARS, allow_inf_nan=False),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "number", "minimum": 60, "maximum": TEN_YEARS},
                    {"type": "string", "pattern": r"^(\s*\d+(\.\d+)?\s*(ms|sec|s|min|m|h|d)?\s*)+$"},
                ]
            }
        ),
    ]
    | None
)
"""Seconds, or text as ``90d``; None is never."""


class KeyRequest(Request):
    """``keys create``. ``expires_in``: seconds, or text as ``90d``; without it, never."""

    name: Annotated[str, Field(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)] = ["read"]
    account: AccountId | None = None
    """All that the key sees and moves; None: everything."""
    expires_in: ExpiresIn = None


class KeyView(View):
    """One key, without its secret. Instants are unix ns."""

    id: str
    name: str = ""
    scopes: list[str]
    account: str | None = None
    created_at: int
    created_by: str = ""
    expires_at: int | None = None
    expired: bool = False
    used_at: int | None = None
    """When it was used last, to a minute."""


class KeyCreated(KeyView):
    """A new key: ``key`` is shown here, once, and kept nowhere."""

    key: str


class AuditView(View):
    """One request that was to change something, and the status with which it was answered."""

    number: int
    at: int
    who: str
    key: str = ""
    """The id of the key that was shown, "" for a peer of the Unix socket."""
    account: str = ""
    address: str = ""
    method: str
    path: str
    status: int
    request_id: str
