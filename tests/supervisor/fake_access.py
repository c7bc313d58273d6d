"""What the API asks of keys and the audit trail, kept in lists: a part of ``FakeDaemon``."""

from __future__ import annotations

from typing import Any

from supervisor.errors import NotFound, near_matches
from supervisor.schema.keys import AuditView, KeyCreated, KeyRequest, KeyView

KEY = "stratd_" + "0a" * 6 + "_" + "5e" * 32


class FakeAccess:
    calls: list[tuple[object, ...]]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.issued: dict[str, KeyView] = {}
        self.done: list[AuditView] = []

    async def create_key(self, request: KeyRequest, *, by: str) -> KeyCreated:
        self.calls.append(("create_key", request, by))
        made = KeyView(
            id=f"{len(self.issued):012x}", name=request.name, scopes=request.scopes, account=request.account,
            created_at=1, created_by=by,
        )  # fmt: skip
        self.issued[made.id] = made
        return KeyCreated(**made.model_dump(), key=KEY)

    async def keys(self) -> list[KeyView]:
        return list(self.issued.values())

    async def revoke_key(self, key_id: str, *, by: str) -> KeyView:
        self.calls.append(("revoke_key", key_id, by))
        if key_id not in self.issued:
            raise NotFound("key", key_id, near_matches(key_id, self.issued))
        return self.issued.pop(key_id)

    async def audit(self, before: int | None, limit: int) -> list[AuditView]:
        newest_first = sorted(self.done, key=lambda one: -one.number)
        return [one for one in newest_first if before is None or one.number < before][:limit]
