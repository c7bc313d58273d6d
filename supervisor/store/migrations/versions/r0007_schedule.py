"""Schema 7: when a deployment is to run; always so far."""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy import Column

from supervisor.store.migrations import columns

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    columns.add("deployments", Column("schedule", sql.JSON, nullable=False, server_default="{}"))
