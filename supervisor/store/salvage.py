"""Reading what can still be read of a damaged database: what has to run must not be lost with the events."""

from __future__ import annotations

import contextlib
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import SQLAlchemyError

from supervisor.store.tables import DEPLOYMENTS, REGISTERED


def read_what_can_be(url: sql.URL) -> dict[sql.Table, list[dict[str, Any]]]:
    """Return the rows of deployments and registered paths up to the first torn page of each table.

    Only of SQLite: damage of a server is that server's to mend. Writes nothing, and never fails.
    """
    saved: dict[sql.Table, list[dict[str, Any]]] = {}
    if url.get_backend_name() != "sqlite":
        return saved
    engine = sql.create_engine(url)
    try:
        for table in (DEPLOYMENTS, REGISTERED):
            saved[table] = rows = []
            # ValueError: JSON that is none.
            with contextlib.suppress(SQLAlchemyError, ValueError), engine.connect() as connection:
                reading = connection.execution_options(yield_per=1).execute(sql.select(table))
                for row in reading.mappings():
                    rows.append(dict(row))  # noqa: PERF401  (what was read before it raises is kept)
    finally:
        engine.dispose()
    return saved
