"""Schema 4: by what a deployment is held; by nothing so far."""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy import Column

from supervisor.store.migrations import columns

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    columns.add("deployments", Column("suspended", sql.String(64), nullable=False, server_default=""))
