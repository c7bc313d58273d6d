"""The migrations of the database of ``DATABASE_URL``, as Alembic wants them to lie (schema.py)."""
