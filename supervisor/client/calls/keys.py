"""API keys, and the record of who changed what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, given, listed, segment, send

if TYPE_CHECKING:
    from supervisor.schema.keys import AuditView, KeyCreated, KeyView


def create_key(
    *,
    name: str | None = None,
    scopes: Sequence[str] | None = None,
    account: str | None = None,
    expires_in: float | str | None = None,
) -> Call[KeyCreated]:
    """Make a key; its text is in the answer, once. Scopes are read, trade, code and admin; read if not given.

    ``account`` is all that the key sees and moves; ``expires_in`` seconds, or text as ``90d``.
    """
    stated = listed(scopes)
    return send("POST", "api-keys", given(name=name, scopes=stated, account=account, expires_in=expires_in))


def keys() -> Call[list[KeyView]]:
    """Every key, without its secret."""
    return get("api-keys")


def revoke_key(key_id: str) -> Call[KeyView]:
    """Take a key back: it is refused from the next request on."""
    return send("DELETE", f"api-keys/{segment(key_id, 'key')}")


def audit(*, limit: int | None = None, cursor: str | None = None) -> Call[list[AuditView]]:
    """Who was to change what, the newest first."""
    return get("audit", {"limit": limit, "cursor": cursor})
