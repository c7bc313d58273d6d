"""Which schema the database of ``DATABASE_URL`` has, and how it becomes ours: made, migrated or refused.

Alembic has the migrations (migrations/versions) and does them; it is loaded only where there is one to do.
Two tables tell the schema. ``stratd_revision`` is Alembic's, and counts. ``stratd_schema`` told it to
versions before Alembic, which refuse what is higher than they know: so it says ``LAST_NUMBER`` for good.

Rules of this file. Everything happens in the transaction that is open, creation, migration and stamp: whoever
is interrupted leaves the old schema or the new one. What is not understood is left untouched.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sql
from sqlalchemy import Column, MetaData, Table

from supervisor.store.tables import META

HEAD: Final = 7
"""The schema of this version: the number of the last file in migrations/versions."""
LAST_NUMBER: Final = 5
"""What ``stratd_schema`` says since Alembic came; 4 was the last that it counted."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"
STAMPS: Final = MetaData()
NUMBERS: Final = Table("stratd_schema", STAMPS, Column("version", sql.Integer, primary_key=True))
REVISION: Final = Table("stratd_revision", STAMPS, Column("version_num", sql.String(32), primary_key=True))
"""Its shape is Alembic's (alembic.sqlalchemy.org, ``version_table``)."""
_LOCK: Final = 0x73744431
"""``stD1``: names the lock of PostgreSQL under which a schema is looked at and changed."""


class SchemaError(Exception):
    """The database cannot be used with this version; the clause says why and what to do, after its name."""


def find(connection: sql.Connection) -> int | None:
    """Return the number of the schema, None where nothing of ours is. Writes nothing.

    Raises ``SchemaError`` for tables that nobody can say the schema of.
    """
    tables = set(sql.inspect(connection).get_table_names())
    if REVISION.name in tables:
        return _revision(list(connection.scalars(sql.select(REVISION.c.version_num))))
    if NUMBERS.name in tables:
        number = connection.scalar(sql.select(sql.func.max(NUMBERS.c.version)))
        # Without a row: the version that made it was cut off. Each migration looks what is there already.
        return 1 if number is None else int(number)
    if strange := sorted(tables & set(META.tables)):
        raise SchemaError(
            f"has a table {strange[0]!r} and no stamp of stratd: it is not stratd's, or damaged; it was left "
            "untouched; point DATABASE_URL elsewhere, or restore a backup"
        )
    return None


def _revision(found: list[str]) -> int:
    if len(found) != 1 or not (found[0].isascii() and found[0].isdecimal()):
        raise SchemaError(
            f"has the stamp {', '.join(found) or 'none'!r} in {REVISION.name}, which is none of stratd's; it "
            "was left untouched; restore a backup"
        )
    return int(found[0])


def bring_up(connection: sql.Connection) -> None:
    """Make or migrate the tables, in the transaction that is open. Raises ``SchemaError``, SQL's errors."""
    if connection.dialect.name == "sqlite":
        # Python's driver begins none before it changes a table (docs.python.org/3/library/sqlite3.html).
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
    found = find(connection)
    if found is None:
        META.create_all(connection)
        STAMPS.create_all(connection)
        connection.execute(NUMBERS.insert().values(version=LAST_NUMBER))
        connection.execute(REVISION.insert().values(version_num=f"{HEAD:04}"))
    elif found > HEAD:
        raise SchemaError(
            f"was written by a newer stratd (schema {found}, this one knows {HEAD}); start that version, "
            "restore a backup of this one, or point DATABASE_URL elsewhere"
        )
    elif found < HEAD:
        if REVISION.name not in sql.inspect(connection).get_table_names():
            REVISION.create(connection)
            connection.execute(REVISION.insert().values(version_num=f"{found:04}"))
        migrate(connection)


def migrate(connection: sql.Connection) -> None:
    """Bring what ``REVISION`` says, or nothing at all, up to ``HEAD``, in the transaction that is open."""
    # Here, for hardly any start has something to migrate: 60 modules, and a third of a second.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, f"{HEAD:04}")
