"""Ended runs whose graph says how long they are kept: which have outlived it, and their removal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import graph_versions, graphs, runs, users
from platform_core.runs.run_store import ENDED


@dataclass(frozen=True)
class KeptVersion:
    """A graph version that limits how long its runs are kept; `retention` is as the document writes it.

    `owner` is the name of the graph's owner.
    """

    graph_id: str
    version: int
    owner: str
    retention: Any


def versions_with_retention(connection: Connection) -> list[KeptVersion]:
    """The versions whose documents have `settings.retention`."""
    retention = sa.cast(graph_versions.c.document, sa.JSON)[("settings", "retention")]
    query = (
        sa.select(graph_versions.c.graph_id, graph_versions.c.version, users.c.name, sa.cast(retention, sa.Text))
        .join(graphs, graphs.c.id == graph_versions.c.graph_id)
        .join(users, users.c.id == graphs.c.owner_id)
        # Only these documents are parsed; most have none.
        .where(graph_versions.c.document.contains('"retention"'))
        .order_by(graph_versions.c.graph_id, graph_versions.c.version)
    )
    found = connection.execute(query)
    return [
        KeptVersion(graph_id, version, owner, json.loads(text))
        for graph_id, version, owner, text in found
        if text is not None
    ]


def expired_runs(connection: Connection, graph_id: str, version: int, seconds: float, limit: int) -> list[str]:
    """Runs of the version that ended more than `seconds` ago, the oldest first, at most `limit`.

    A run that another run retries stays as long as that one: its values may be read again.
    """
    retry = runs.alias("retry")
    query = (
        sa.select(runs.c.run_id)
        .where(
            runs.c.graph_id == graph_id,
            runs.c.version == version,
            runs.c.status.in_(ENDED),
            runs.c.ended_at < sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds),
            ~sa.exists().where(retry.c.parent_run_id == runs.c.run_id),
        )
        .order_by(runs.c.ended_at)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def delete_runs(connection: Connection, run_ids: Sequence[str]) -> None:
    """Remove the runs with their events and values."""
    connection.execute(runs.delete().where(runs.c.run_id.in_(run_ids)))
