"""Schema 1: deployments, their deaths, events."""

from __future__ import annotations

import sqlalchemy as sql
from alembic import op
from sqlalchemy import Column

revision = "0001"
down_revision = None

SERIAL = sql.BigInteger().with_variant(sql.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table("stratd_schema", Column("version", sql.Integer, primary_key=True))
    op.create_table(
        "deployments",
        Column("id", sql.String(64), primary_key=True),
        Column("strategy", sql.String(200), nullable=False),
        Column("version", sql.String(64), nullable=False),
        Column("account", sql.String(64), nullable=False),
        Column("mode", sql.String(16), nullable=False),
        Column("symbols", sql.JSON, nullable=False),
        Column("timeframes", sql.JSON, nullable=False),
        Column("parameters", sql.JSON, nullable=False),
        Column("risk", sql.JSON, nullable=False),
        Column("memory", sql.BigInteger, nullable=False),
        Column("cpu", sql.Float, nullable=False),
        Column("created_at", sql.BigInteger, nullable=False),
        Column("updated_at", sql.BigInteger, nullable=False),
        Column("wanted", sql.String(16), nullable=False),
        Column("state", sql.String(16), nullable=False),
        Column("generation", sql.BigInteger, nullable=False),
        Column("restarts", sql.BigInteger, nullable=False),
        Column("reason", sql.Text, nullable=False),
        Column("actor", sql.Text, nullable=False),
    )
    op.create_table(
        "deaths",
        Column("number", SERIAL, primary_key=True, autoincrement=True),
        Column("deployment_id", sql.String(64), nullable=False, index=True),
        Column("generation", sql.BigInteger, nullable=False),
        Column("at", sql.BigInteger, nullable=False),
        Column("cause", sql.String(32), nullable=False),
        Column("detail", sql.Text, nullable=False),
        Column("exit_code", sql.Integer),
        Column("signal", sql.Integer),
        Column("stack", sql.Text, nullable=False),
        Column("log_tail", sql.JSON, nullable=False),
        Column("peak_memory", sql.BigInteger, nullable=False),
        Column("uptime", sql.Float),
        Column("last_event", sql.Text, nullable=False),
    )
    op.create_table(
        "events",
        Column("seq", sql.BigInteger, primary_key=True, autoincrement=False),
        Column("at", sql.BigInteger, nullable=False),
        Column("kind", sql.String(64), nullable=False),
        Column("deployment_id", sql.String(64), nullable=False, index=True),
        Column("generation", sql.BigInteger, nullable=False),
        Column("detail", sql.Text, nullable=False),
    )
