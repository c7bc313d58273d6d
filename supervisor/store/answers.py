"""Answers that must be known after a restart, too, in ``DATABASE_URL``. It blocks."""

from __future__ import annotations

import sqlalchemy as sql
from msgspec import structs

from supervisor.keys.answers import KEEP_NS, Answer
from supervisor.store.deployments import DeploymentStore
from supervisor.store.tables import ANSWERS


class AnswerStore:
    """The table, in the database of ``store``. Every failure is a ``StoreError``."""

    def __init__(self, store: DeploymentStore) -> None:
        self._store = store

    def find(self, name: str, now: int) -> Answer | None:
        """Return what is kept under ``name``; ``status`` 0 is a request whose end nobody wrote down."""
        wanted = sql.select(ANSWERS).where(ANSWERS.c.key == name, ANSWERS.c.at > now - KEEP_NS)
        rows = self._store.read(wanted)
        if not rows:
            return None
        row = rows[0]
        return Answer(**{field: row[field] for field in Answer.__struct_fields__})

    def put(self, name: str, answer: Answer) -> None:
        """Keep an answer, or that a request has begun; what is older than a day goes."""
        with self._store.begin() as connection:
            connection.execute(
                ANSWERS.delete().where((ANSWERS.c.key == name) | (ANSWERS.c.at <= answer.at - KEEP_NS))
            )
            connection.execute(ANSWERS.insert().values(key=name, **structs.asdict(answer)))

    def forget(self, name: str) -> None:
        """Keep nothing under ``name``."""
        with self._store.begin() as connection:
            connection.execute(ANSWERS.delete().where(ANSWERS.c.key == name))
