"""Adding a column only once: an SQLite file may have it already, under the number of the schema before."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sql
from alembic import op


def add(table: str, column: sql.Column[Any]) -> None:
    """Add a column that is not there yet.

    Versions before schema 5 migrated without a transaction (SQLite then commits each ALTER TABLE at once), so
    one that was interrupted has changed the table and not the number.
    """
    if column.name not in {known["name"] for known in sql.inspect(op.get_bind()).get_columns(table)}:
        op.add_column(table, column)
