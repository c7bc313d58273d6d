"""Who may come in and what they did, for one daemon: its keys, its audit trail, answers that outlive it."""

from __future__ import annotations

import time
from typing import Any

from msgspec import structs

from supervisor.audit_trail import AuditTrail
from supervisor.daemon import Daemon
from supervisor.keys.keyring import Keyring
from supervisor.keys.record import KeyRecord
from supervisor.schema.keys import AuditView, KeyCreated, KeyRequest, KeyView
from supervisor.store.answers import AnswerStore
from supervisor.store.audit import AuditStore
from supervisor.store.keys import KeyStore


class Access:
    """``supervisor.api.routes.keys.AccessPort``; a part of ``Port``. ``begin`` before, ``end`` after."""

    _daemon: Daemon

    def open_access(self, daemon: Daemon) -> None:
        """Make the parts; nothing is read yet."""
        key = daemon.settings.api.key
        self.keyring = Keyring(
            KeyStore(daemon.store),
            daemon.in_database,
            bootstrap=key.get_secret_value() if key else "",
            note=daemon.events.note,
        )
        self.trail = AuditTrail(AuditStore(daemon.store), daemon.in_database)
        self.answers = AnswerStore(daemon.store)

    async def begin(self) -> None:
        """Read the keys, and begin to write the trail. Raises ``Failed``."""
        await self.keyring.start()
        await self.trail.start()

    async def end(self) -> None:
        """Write what is still to be written."""
        await self.keyring.close()
        await self.trail.close()

    async def create_key(self, request: KeyRequest, *, by: str) -> KeyCreated:
        """Make a key; its text is in the answer and nowhere else."""
        lasts = request.expires_in
        record, shown = await self.keyring.create(
            name=request.name,
            scopes=set(request.scopes),
            account=request.account or "",
            expires_at=None if lasts is None else time.time_ns() + round(lasts * 1e9),
            by=by,
        )
        return KeyCreated(**_plain(record), key=shown)

    async def keys(self) -> list[KeyView]:
        """Return every key, the oldest first."""
        return [KeyView(**_plain(record)) for record in self.keyring.records()]

    async def revoke_key(self, key_id: str, *, by: str) -> KeyView:
        """Take a key back: the next request with it is refused."""
        return KeyView(**_plain(await self.keyring.revoke(key_id, by=by)))

    async def audit(self, before: int | None, limit: int) -> list[AuditView]:
        """Return up to ``limit`` records numbered below ``before``, the newest first."""
        records = await self.trail.page(before, limit)
        return [AuditView(**structs.asdict(record)) for record in records]


def _plain(record: KeyRecord) -> dict[str, Any]:
    known: dict[str, Any] = {**structs.asdict(record), "expired": record.expired(time.time_ns())}
    del known["digest"]
    return {**known, "account": record.account or None}
