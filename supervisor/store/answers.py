"""Answers that must be known after a restart, too, in ``DATABASE_URL``. It blocks."""

from __future__ import annotations

import sqlalchemy as sql
from msgspec import structs

from supervisor.fair_share import fair_level
from supervisor.keys.answers import KEEP_NS, WHOSE, Answer
from supervisor.store.deployments import DeploymentStore
from supervisor.store.tables import ANSWERS

MOST = 50_000
"""Answers kept, or somewhat more: now and then the oldest go, of the callers that have most."""
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
                _share(connection)

    def forget(self, name: str) -> None:
        """Keep nothing under ``name``."""
        with self._store.begin() as connection:
            connection.execute(ANSWERS.delete().where(ANSWERS.c.key == name))


def _share(connection: sql.Connection) -> None:
    whose = sql.func.substr(ANSWERS.c.key, 1, WHOSE).label("whose")
    named = sql.select(whose).subquery()
    counts = connection.execute(sql.select(sql.func.count()).select_from(named).group_by(named.c.whose))
    level = max(1, fair_level(counts.scalars(), MOST))
    newest = sql.func.row_number().over(partition_by=whose, order_by=ANSWERS.c.at.desc()).label("nth")
    ranked = sql.select(ANSWERS.c.key, newest).subquery()
    beyond = sql.select(ranked.c.key).where(ranked.c.nth > level)
    connection.execute(ANSWERS.delete().where(ANSWERS.c.key.in_(beyond)))
