"""Schema 6: words beside registered code, and whose it is; what was registered so far is everybody's."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op
from sqlalchemy import Column, MetaData, Table

from supervisor.store.migrations import columns

revision = "0006"
down_revision = "0005"

TABLES = MetaData()
Table(
    "code_labels",
    TABLES,
    Column("name", sql.String(64), primary_key=True),
    Column("version", sql.String(64), primary_key=True),
    Column("title", sql.Text),
    Column("description", sql.Text),
    Column("type", sql.String(32)),
    Column("at", sql.BigInteger, nullable=False),
    Column("by", sql.String(256), nullable=False),
)


def upgrade() -> None:
    columns.add("code_versions", Column("owner", sql.String(64), nullable=False, server_default=""))
    TABLES.create_all(op.get_bind())
