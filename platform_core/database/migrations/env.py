"""Alembic's entry: migrates the connection it is given, or for authors the address of `-x url=`."""

from __future__ import annotations

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext

from platform_core.database.engine import build_engine, transaction
from platform_core.database.tables import SCHEMA, JsonText, metadata


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Dagster's tables share the database; only our schema is ours to migrate."""
    return kind != "schema" or name == SCHEMA


def _render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Migrations are frozen: they name the column type of that day, not a class that may change."""
    return "sa.Text()" if kind == "type" and isinstance(item, JsonText) else False


def _migrate(connection: sa.Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=_ours,
        render_item=_render,
        version_table_schema=SCHEMA,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if (given := context.config.attributes.get("connection")) is not None:
    _migrate(given)
else:
    with transaction(build_engine(context.get_x_argument(as_dictionary=True)["url"])) as opened:
        _migrate(opened)
