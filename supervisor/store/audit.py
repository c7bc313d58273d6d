"""The audit trail in ``DATABASE_URL``: who changed what, when, and how it ended. It blocks."""

from __future__ import annotations

import sqlalchemy as sql
from msgspec import Struct, structs

from supervisor.store.deployments import DeploymentStore
from supervisor.store.tables import AUDIT

KEEP = 100_000
"""Records kept; pruned now and then, so somewhat more may be there."""


class AuditRecord(Struct, frozen=True, kw_only=True):
    """One request that was to change something. ``at`` unix ns; ``key`` "" for a peer of the Unix socket."""

    number: int = 0
    """By the database, ascending; 0 before it is written."""
    at: int
    who: str
    key: str = ""
    account: str = ""
    address: str = ""
    method: str
    path: str
    status: int
    request_id: str


class AuditStore:
    """The table, in the database of ``store``. Every failure is a ``StoreError``."""

    def __init__(self, store: DeploymentStore) -> None:
        self._store = store
        self._appended = 0

    def add(self, records: list[AuditRecord]) -> None:
        """Append records in one transaction."""
        rows = [{name: v for name, v in structs.asdict(one).items() if name != "number"} for one in records]
        with self._store.begin() as connection:
            connection.execute(AUDIT.insert(), rows)
            self._appended += len(rows)
            if self._appended >= KEEP // 10:
                self._appended = 0
                newest = connection.scalar(sql.select(sql.func.max(AUDIT.c.number))) or 0
                connection.execute(AUDIT.delete().where(AUDIT.c.number <= newest - KEEP))

    def page(self, before: int | None, limit: int) -> list[AuditRecord]:
        """Return up to ``limit`` records numbered below ``before``, the newest first."""
        wanted = sql.select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(AUDIT.c.number < before)
        return [AuditRecord(**row) for row in self._store.read(wanted)]
