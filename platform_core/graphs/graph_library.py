"""The graphs of one owner as documents that call them see them: by name and version, or exactly by their hash."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from platform_core.database.tables import graph_versions, graphs


class OwnedGraphs:
    """The compiler's library, `graph_compiler.language.library.GraphLibrary`; each look-up has a connection of its own."""

    is_complete = True

    def __init__(self, connect: Callable[[], AbstractContextManager[Connection]], owner_id: str) -> None:
        self._connect = connect
        self._owner_id = owner_id

    def latest(self, name: str) -> int | None:
        """The graph's current version; None if the owner has no such graph."""
        mine = sa.and_(graphs.c.owner_id == self._owner_id, graphs.c.name == name, graphs.c.deleted_at.is_(None))
        with self._connect() as connection:
            version: int | None = connection.execute(sa.select(graphs.c.current_version).where(mine)).scalar()
        return version

    def document(self, name: str, version: int, sha256: str | None) -> str | None:
        """A version's document. With `sha256` also of a graph that was deleted: versions never go away."""
        wanted = sa.and_(
            graphs.c.owner_id == self._owner_id,
            graphs.c.name == name,
            graph_versions.c.version == version,
            graphs.c.deleted_at.is_(None) if sha256 is None else graph_versions.c.sha256 == sha256,
        )
        query = sa.select(graph_versions.c.document).join(graphs, graphs.c.id == graph_versions.c.graph_id)
        with self._connect() as connection:
            document: str | None = connection.execute(query.where(wanted)).scalar()
        return document
