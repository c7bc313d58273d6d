"""Schema 2: where the code lies that the operator answers for; for none so far."""

from __future__ import annotations

import sqlalchemy as sql
from sqlalchemy import Column

from supervisor.store.migrations import columns

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    columns.add("deployments", Column("trusted_path", sql.String(4096), nullable=False, server_default=""))
