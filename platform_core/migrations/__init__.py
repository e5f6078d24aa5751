"""Alembic migrations of the `headrace` schema, applied by `platform_core.schema`."""
