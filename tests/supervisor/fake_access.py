"""What the API asks of keys and the audit trail, kept in lists: a part of ``FakeDaemon``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from supervisor.errors import NotFound, near_matches
from supervisor.keys.answers import Answer
from supervisor.keys.record import KeyRecord
from supervisor.schema.keys import AuditView, KeyCreated, KeyRequest, KeyView
from supervisor.store.audit import AuditRecord
from supervisor.store.deployments import StoreError

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


class MemoryShelf:
    """Keys in a dict, as ``supervisor.store.keys.KeyStore`` has them in a table."""

    def __init__(self) -> None:
        self.kept: dict[str, KeyRecord] = {}
        self.uses: list[tuple[str, int]] = []
        self.fail = False

    def load(self) -> list[KeyRecord]:
        return list(self.kept.values())

    def add(self, record: KeyRecord) -> None:
        self._stumble()
        self.kept[record.id] = record

    def remove(self, key_id: str) -> None:
        self._stumble()
        self.kept.pop(key_id, None)

    def used(self, key_id: str, at: int) -> None:
        self._stumble()
        self.uses.append((key_id, at))

    def _stumble(self) -> None:
        if self.fail:
            raise StoreError("the disk is full")


class MemoryAudit:
    """The audit trail in a list."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.fail = False

    def add(self, records: list[AuditRecord]) -> None:
        if self.fail:
            raise StoreError("the disk is full")
        first = len(self.records) + 1
        self.records += [replace(one, number=first + at) for at, one in enumerate(records)]

    def page(self, before: int | None, limit: int) -> list[AuditRecord]:
        return [one for one in self.records[::-1] if before is None or one.number < before][:limit]


class MemoryAnswers:
    """Durable answers in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, Answer] = {}
        self.fail = False

    def find(self, name: str, now: int) -> Answer | None:
        return self.kept.get(name)

    def put(self, name: str, answer: Answer) -> None:
        if self.fail:
            raise StoreError("the disk is full")
        self.kept[name] = answer

    def forget(self, name: str) -> None:
        self.kept.pop(name, None)


async def at_once(call: Callable[[], Any]) -> Any:
    """Stand for the database's thread."""
    return call()
