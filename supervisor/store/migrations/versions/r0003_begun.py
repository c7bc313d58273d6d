"""Schema 3: when a deployment began to run by its last start; 0 where nobody knows."""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy import Column

from supervisor.store.migrations import columns

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    columns.add("deployments", Column("begun", sql.BigInteger, nullable=False, server_default="0"))
