"""Schema 5: Alembic's stamp, and every table that came since schema 1 without a number of its own.

Versions with schema 4 made a table that was missing at their start, so which of these are there depends on
which version it was last. ``stratd_schema`` says 5 from here on: what knows only that table refuses it.
"""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op
from sqlalchemy import Column, MetaData, Table

revision = "0005"
down_revision = "0004"

SERIAL = sql.BigInteger().with_variant(sql.Integer(), "sqlite")
TABLES = MetaData()
Table("registered_paths", TABLES, Column("path", sql.String(4096), primary_key=True))
Table(
    "api_keys",
    TABLES,
    Column("id", sql.String(12), primary_key=True),
    Column("name", sql.String(100), nullable=False),
    Column("scopes", sql.JSON, nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("digest", sql.String(200), nullable=False),
    Column("created_at", sql.BigInteger, nullable=False),
    Column("created_by", sql.String(100), nullable=False),
    Column("expires_at", sql.BigInteger),
    Column("used_at", sql.BigInteger),
)
Table(
    "audit",
    TABLES,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("at", sql.BigInteger, nullable=False),
    Column("who", sql.String(100), nullable=False),
    Column("key", sql.String(12), nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("address", sql.String(64), nullable=False),
    Column("method", sql.String(16), nullable=False),
    Column("path", sql.String(300), nullable=False),
    Column("status", sql.Integer, nullable=False),
    Column("request_id", sql.String(128), nullable=False),
)
Table(
    "idempotent_answers",
    TABLES,
    Column("key", sql.String(64), primary_key=True),
    Column("fingerprint", sql.String(64), nullable=False),
    Column("status", sql.Integer, nullable=False),
    Column("media", sql.String(100), nullable=False),
    Column("body", sql.LargeBinary, nullable=False),
    Column("at", sql.BigInteger, nullable=False, index=True),
)
Table(
    "code_versions",
    TABLES,
    Column("name", sql.String(64), primary_key=True),
    Column("version", sql.String(64), primary_key=True),
    Column("code_hash", sql.String(64), nullable=False),
    Column("entry", sql.String(256), nullable=False),
    Column("kind", sql.String(16), nullable=False),
    Column("account", sql.String(64), nullable=False),
    Column("at", sql.BigInteger, nullable=False),
    Column("by", sql.String(256), nullable=False),
    Column("origin", sql.String(256), nullable=False),
    Column("size", sql.BigInteger, nullable=False),
    Column("archive", sql.LargeBinary, nullable=False),
)
Table(
    "code_activations",
    TABLES,
    Column("number", SERIAL, primary_key=True, autoincrement=True),
    Column("name", sql.String(64), nullable=False, index=True),
    Column("version", sql.String(64), nullable=False),
    Column("at", sql.BigInteger, nullable=False),
    Column("by", sql.String(256), nullable=False),
    Column("undone_at", sql.BigInteger),
    Column("undone_by", sql.String(256)),
)


def upgrade() -> None:
    TABLES.create_all(op.get_bind())
    op.execute("DELETE FROM stratd_schema")
    op.execute("INSERT INTO stratd_schema VALUES (5)")
