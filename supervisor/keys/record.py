"""What is known of a key: a record without its secret. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct


class KeyRecord(Struct, frozen=True, kw_only=True):
    """One key. Instants are unix ns; ``account`` "" for one that is bound to none; ``digest``: hashing.py."""

    id: str
    name: str
    scopes: list[str]
    account: str = ""
    digest: str
    created_at: int
    created_by: str = ""
    expires_at: int | None = None
    used_at: int | None = None

    def expired(self, now: int) -> bool:
        """Whether it is past its time at ``now`` (unix ns)."""
        return self.expires_at is not None and now >= self.expires_at


def day_of(at: int) -> str:
    """Return the instant ``at`` (unix ns) as people write it, UTC, to the second."""
    return datetime.fromtimestamp(at // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
