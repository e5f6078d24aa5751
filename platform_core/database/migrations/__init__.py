"""Alembic migrations of the `headrace` schema, applied by `platform_core.database.schema`."""
