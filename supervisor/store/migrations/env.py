"""What Alembic runs around the migrations: connection and transaction are the caller's."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="stratd_revision",
    transaction_per_migration=False,
)
with context.begin_transaction():  # does nothing within the caller's
    context.run_migrations()
