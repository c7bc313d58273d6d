"""API keys in ``DATABASE_URL``: hashes, never secrets. It blocks: called on the database's thread."""

from __future__ import annotations

import sqlalchemy as sql
from msgspec import structs

from supervisor.keys.record import KeyRecord
from supervisor.store.deployments import DeploymentStore
from supervisor.store.tables import KEYS


class KeyStore:
    """The table of keys, in the database of ``store``. Every failure is a ``StoreError``."""

    def __init__(self, store: DeploymentStore) -> None:
        self._store = store

    def load(self) -> list[KeyRecord]:
        """Return every key, the oldest first."""
        rows = self._store.read(sql.select(KEYS).order_by(KEYS.c.created_at, KEYS.c.id))
        return [KeyRecord(**row) for row in rows]

    def add(self, record: KeyRecord) -> None:
        """Keep a new key."""
        with self._store.begin() as connection:
            connection.execute(KEYS.insert().values(structs.asdict(record)))

    def remove(self, key_id: str) -> None:
        """Forget a key; one that is not there is fine."""
        with self._store.begin() as connection:
            connection.execute(KEYS.delete().where(KEYS.c.id == key_id))

    def used(self, key_id: str, at: int) -> None:
        """Note when a key was used last, unix ns."""
        with self._store.begin() as connection:
            connection.execute(KEYS.update().where(KEYS.c.id == key_id).values(used_at=at))
