"""Answers that must be known after a restart, too, in ``DATABASE_URL``. It blocks."""

from __future__ import annotations

import sqlalchemy as sql
from msgspec import structs

from supervisor.keys.answers import KEEP_NS, Answer
from supervisor.store.deployments import DeploymentStore
from supervisor.store.tables import ANSWERS

MOST = 50_000
"""Answers kept, or somewhat more: the oldest go now and then. So no key fills the disk with them."""
LARGEST = 16 * 2**10
"""Bytes of an answer: of a start it has a tenth."""


class AnswerStore:
    """The table, in the database of ``store``. Every failure is a ``StoreError``."""

    def __init__(self, store: DeploymentStore) -> None:
        self._store = store
        self._put = 0
        """Since the oldest ones were last let go."""

    def find(self, name: str, now: int) -> Answer | None:
        """Return what is kept under ``name``; ``status`` 0 is a request whose end nobody wrote down."""
        wanted = sql.select(ANSWERS).where(ANSWERS.c.key == name, ANSWERS.c.at > now - KEEP_NS)
        rows = self._store.read(wanted)
        if not rows:
            return None
        row = rows[0]
        return Answer(**{field: row[field] for field in Answer.__struct_fields__})

    def put(self, name: str, answer: Answer) -> None:
        """Keep an answer, or that a request has begun; what is older than a day goes, and what is too much.

        Of an answer that is too large the status alone is kept: that it was done, and not to be done again.
        """
        if len(answer.body) > LARGEST:
            answer = structs.replace(answer, body=b"", media="")
        with self._store.begin() as connection:
            connection.execute(
                ANSWERS.delete().where((ANSWERS.c.key == name) | (ANSWERS.c.at <= answer.at - KEEP_NS))
            )
            connection.execute(ANSWERS.insert().values(key=name, **structs.asdict(answer)))
            self._put += 1
            if self._put >= MOST // 10:
                self._put = 0
                newest = sql.select(ANSWERS.c.at).order_by(ANSWERS.c.at.desc()).offset(MOST).limit(1)
                first = connection.scalar(newest)
                if first is not None:
                    connection.execute(ANSWERS.delete().where(ANSWERS.c.at <= first))

    def forget(self, name: str) -> None:
        """Keep nothing under ``name``."""
        with self._store.begin() as connection:
            connection.execute(ANSWERS.delete().where(ANSWERS.c.key == name))
