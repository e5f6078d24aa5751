"""Results of nodes that later runs may take instead of executing the node again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core.database.tables import node_results

_SWEPT = 100
"""Expired results that each new one removes at most."""


def read_result(connection: Connection, owner_id: str, key: str) -> dict[str, Any] | None:
    """The outputs by port stored under the owner's key, unless they have expired."""
    query = sa.select(node_results.c.outputs).where(
        node_results.c.owner_id == owner_id, node_results.c.key == key, node_results.c.expires_at > sa.func.now()
    )
    outputs: dict[str, Any] | None = connection.execute(query).scalar()
    return outputs


def store_result(connection: Connection, owner_id: str, key: str, outputs: Mapping[str, Any], ttl: float) -> None:
    """Keep the outputs for `ttl` seconds, in place of older ones; some that expired are removed."""
    expires_at = sa.func.now() + sa.func.make_interval(0, 0, 0, 0, 0, 0, ttl)
    statement = insert(node_results).values(owner_id=owner_id, key=key, outputs=dict(outputs), expires_at=expires_at)
    changed = {"outputs": statement.excluded.outputs, "expires_at": statement.excluded.expires_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["owner_id", "key"], set_=changed))
    expired = sa.select(node_results.c.owner_id, node_results.c.key).where(node_results.c.expires_at < sa.func.now())
    found = expired.limit(_SWEPT).with_for_update(skip_locked=True)
    connection.execute(node_results.delete().where(sa.tuple_(node_results.c.owner_id, node_results.c.key).in_(found)))
