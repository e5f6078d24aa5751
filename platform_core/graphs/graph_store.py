"""Graphs and their immutable versions: canonical documents with their hashes, stored and never parsed here."""

from __future__ import annotations

import enum
import re
import uuid
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256 as sha256_of

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from platform_core import channels
from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Author, Target, TargetKind
from platform_core.database.pagination import Page, decode_cursor, encode_cursor
from platform_core.database.tables import graph_versions, graphs, users
from platform_core.errors import GraphExists, PreconditionFailed, VersionNotFound
from platform_core.limits import DEFAULT_PAGE

_REFERENCE = re.compile(r"(?:(?P<owner>[a-z][a-z0-9-]*)~)?(?P<name>[a-z][a-z0-9-]{0,62})")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Saved(enum.Enum):
    """What saving a document did."""

    CREATED = "created"
    NEW_VERSION = "new_version"
    ANNOTATED = "annotated"
    """The version that was current is, and what is stored beside it changed."""
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Graph:
    """A named graph at its current version."""

    id: str
    owner_id: str
    owner: str
    name: str
    version: int
    sha256: str
    created_at: datetime
    updated_at: datetime
    annotations_sha256: str | None = None

    @property
    def etag(self) -> str:
        beside = "" if self.annotations_sha256 is None else f"-{self.annotations_sha256[:16]}"
        return f'"{self.version}-{self.sha256[:16]}{beside}"'


@dataclass(frozen=True)
class GraphVersion:
    """One immutable document of a graph, and what is stored beside it as JSON: no run sees that, and it may change."""

    graph_id: str
    version: int
    sha256: str
    document: str
    created_by: str
    created_at: datetime
    annotations: str | None = None


_SELECT = (
    sa.select(
        graphs.c.id,
        graphs.c.owner_id,
        users.c.name.label("owner"),
        graphs.c.name,
        graphs.c.current_version.label("version"),
        graph_versions.c.sha256,
        graphs.c.created_at,
        graphs.c.updated_at,
        graph_versions.c.annotations_sha256,
    )
    .join(users, users.c.id == graphs.c.owner_id)
    .join(
        graph_versions,
        sa.and_(graph_versions.c.graph_id == graphs.c.id, graph_versions.c.version == graphs.c.current_version),
    )
    .where(graphs.c.deleted_at.is_(None))
)


def save_graph(
    connection: Connection,
    *,
    owner_id: str,
    name: str,
    document: str,
    sha256: str,
    created_by: str,
    annotations: str | None = None,
    if_match: str | None = None,
    must_not_exist: bool = False,
    author: Author | None = None,
) -> tuple[Graph, Saved]:
    """Make the document the graph's current version: a new one, or the older one with the same content.

    `annotations` are stored beside that version, in the place of what was there.
    Saving what is current already changes nothing, whatever the conditions, so that a retry is harmless.
    `author` is for the audit log.
    Raises `GraphExists` with `must_not_exist`, `PreconditionFailed` when `if_match` (the header's text) does not fit.
    """
    graph_id, created = _lock_or_create(connection, owner_id, name)
    if created and if_match is not None:
        raise PreconditionFailed(f"There is no graph {name} to match.")
    present = None if created else _get(connection, graphs.c.id == graph_id)
    if present is not None:
        if (present.sha256, present.annotations_sha256) == (sha256, _hash(annotations)):
            return present, Saved.UNCHANGED
        if must_not_exist:
            raise GraphExists(f"There is a graph {name} with other content; PUT it with If-Match.", etag=present.etag)
        _demand_match(if_match, present)
    version = _version_of(connection, graph_id, document, sha256, created_by)
    _annotate(connection, graph_id, version, annotations)
    is_current = present is not None and present.version == version
    _make_current(connection, graph_id, version)
    if not is_current:
        _announce(connection, graph_id)
    saved = _get(connection, graphs.c.id == graph_id)
    assert saved is not None
    if author is not None:
        before = None if present is None else _facts(present)
        record(connection, author, Action.GRAPH_SAVED, _target(saved), before=before, after=_facts(saved))
    if created:
        return saved, Saved.CREATED
    return saved, Saved.ANNOTATED if is_current else Saved.NEW_VERSION


def _target(graph: Graph) -> Target:
    return Target(TargetKind.GRAPH, graph.id, graph.name, graph.owner_id)


def _facts(graph: Graph) -> dict[str, object]:
    return {"version": graph.version, "sha256": graph.sha256, "annotations_sha256": graph.annotations_sha256}


def _lock_or_create(connection: Connection, owner_id: str, name: str) -> tuple[str, bool]:
    """The graph's id, its row locked until the transaction ends, and whether it is new."""
    row = connection.execute(
        insert(graphs)
        .values(id=str(uuid.uuid4()), owner_id=owner_id, name=name, current_version=1)
        .on_conflict_do_update(
            index_elements=["owner_id", "name"],
            index_where=graphs.c.deleted_at.is_(None),
            set_={"name": name},
        )
        .returning(graphs.c.id, sa.literal_column("xmax = 0", sa.Boolean))
    ).one()
    return row[0], row[1]


def save_trial(
    connection: Connection, graph: Graph, name: str, document: str, sha256: str, created_by: str
) -> tuple[str, int]:
    """The id and version of a document that tries a node of the graph: one hidden graph holds all of them.

    It is stored as deleted, so nobody lists, calls or launches it; its runs stay readable.
    """
    new = insert(graphs).values(
        id=str(uuid.uuid4()),
        owner_id=graph.owner_id,
        name=name,
        current_version=1,
        deleted_at=sa.func.clock_timestamp(),
        trial_of=graph.id,
    )
    stored = new.on_conflict_do_update(
        index_elements=["trial_of"], index_where=graphs.c.trial_of.is_not(None), set_={"name": name}
    )
    trial_id = str(connection.execute(stored.returning(graphs.c.id)).scalar_one())
    return trial_id, _version_of(connection, trial_id, document, sha256, created_by)


def _version_of(connection: Connection, graph_id: str, document: str, sha256: str, created_by: str) -> int:
    """The number of the version with this content, which is added unless it is there."""
    mine = graph_versions.c.graph_id == graph_id
    same = connection.execute(sa.select(graph_versions.c.version).where(mine, graph_versions.c.sha256 == sha256))
    if (version := same.scalar()) is not None:
        return int(version)
    following = sa.select(sa.func.coalesce(sa.func.max(graph_versions.c.version), 0) + 1).where(mine)
    added = graph_versions.insert().values(
        graph_id=graph_id,
        version=following.scalar_subquery(),
        document=document,
        sha256=sha256,
        created_by=created_by,
    )
    return int(connection.execute(added.returning(graph_versions.c.version)).scalar_one())


def _annotate(connection: Connection, graph_id: str, version: int, annotations: str | None) -> None:
    mine = (graph_versions.c.graph_id == graph_id, graph_versions.c.version == version)
    changed = graph_versions.c.annotations_sha256.is_distinct_from(_hash(annotations))
    change = graph_versions.update().where(*mine, changed)
    connection.execute(change.values(annotations=annotations, annotations_sha256=_hash(annotations)))


def _hash(annotations: str | None) -> str | None:
    return None if annotations is None else sha256_of(annotations.encode()).hexdigest()


def _make_current(connection: Connection, graph_id: str, version: int) -> None:
    change = graphs.update().where(graphs.c.id == graph_id)
    connection.execute(change.values(current_version=version, updated_at=sa.func.clock_timestamp()))


def _demand_match(if_match: str | None, present: Graph) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    if present.etag not in (candidate.strip() for candidate in if_match.split(",")):
        raise PreconditionFailed("The graph has changed since; get it and try again.", etag=present.etag)


def is_name(text: str) -> bool:
    """Whether a graph can have this name."""
    named = _REFERENCE.fullmatch(text)
    return named is not None and named["owner"] is None


def resolve_graph(connection: Connection, principal_owner_id: str, reference: str, is_admin: bool) -> Graph | None:
    """The graph that a principal calls `name`, `owner~name` or by its id; None if there is none for them."""
    named = _REFERENCE.fullmatch(reference)
    graph = None
    if named is not None:
        owner = named["owner"]
        whose = graphs.c.owner_id == principal_owner_id if owner is None else users.c.name == owner
        graph = _get(connection, sa.and_(whose, graphs.c.name == named["name"]))
    if graph is None and _UUID.fullmatch(reference):
        graph = _get(connection, graphs.c.id == reference)
    return graph if graph is not None and (is_admin or graph.owner_id == principal_owner_id) else None


def get_version(connection: Connection, graph_id: str, version: int) -> GraphVersion:
    """Raises `VersionNotFound`."""
    row = connection.execute(
        sa.select(*_VERSION).where(graph_versions.c.graph_id == graph_id, graph_versions.c.version == version)
    ).first()
    if row is None:
        raise VersionNotFound(f"The graph has no version {version}.", version=version)
    return GraphVersion(**row._mapping)


def list_versions(
    connection: Connection, graph_id: str, *, limit: int = DEFAULT_PAGE, cursor: str | None = None
) -> Page[GraphVersion]:
    """Versions of a graph, the newest first. Raises `BadCursor`."""
    query = sa.select(*_VERSION).where(graph_versions.c.graph_id == graph_id)
    if cursor is not None:
        query = query.where(graph_versions.c.version < decode_cursor(cursor, int)[0])
    rows = connection.execute(query.order_by(graph_versions.c.version.desc()).limit(limit + 1))
    found = [GraphVersion(**row._mapping) for row in rows]
    return Page(found[:limit], encode_cursor(found[limit - 1].version) if len(found) > limit else None)


def list_graphs(
    connection: Connection, *, owner_id: str | None = None, limit: int = DEFAULT_PAGE, cursor: str | None = None
) -> Page[Graph]:
    """Graphs of one owner, or of all, by name. Raises `BadCursor`."""
    query = _SELECT if owner_id is None else _SELECT.where(graphs.c.owner_id == owner_id)
    place = sa.tuple_(graphs.c.name, users.c.name)
    if cursor is not None:
        query = query.where(place > sa.tuple_(*decode_cursor(cursor, str, str)))
    rows = connection.execute(query.order_by(graphs.c.name, users.c.name).limit(limit + 1))
    found = [Graph(**row._mapping) for row in rows]
    last = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], None if last is None else encode_cursor(last.name, last.owner))


def all_graphs(connection: Connection) -> list[Graph]:
    """Every graph at its current version, in one query, for the code location."""
    return [Graph(**row._mapping) for row in connection.execute(_SELECT)]


def delete_graph(
    connection: Connection, graph_id: str, *, if_match: str | None = None, author: Author | None = None
) -> None:
    """Take the name back. Versions and runs stay, so that a running run and its history are not touched.

    Deleting again changes nothing. `author` is for the audit log.
    Raises `PreconditionFailed` when `if_match` does not fit.
    """
    mine = sa.and_(graphs.c.id == graph_id, graphs.c.deleted_at.is_(None))
    if connection.execute(sa.select(graphs.c.id).where(mine).with_for_update()).first() is None:
        return
    present = _get(connection, mine)
    assert present is not None
    _demand_match(if_match, present)
    connection.execute(graphs.update().where(mine).values(deleted_at=sa.func.clock_timestamp()))
    if author is not None:
        record(connection, author, Action.GRAPH_DELETED, _target(present), before=_facts(present))
    _announce(connection, graph_id)


def _announce(connection: Connection, graph_id: str) -> None:
    connection.execute(sa.select(sa.func.pg_notify(channels.GRAPHS, graph_id)))


def _get(connection: Connection, condition: sa.ColumnElement[bool]) -> Graph | None:
    row = connection.execute(_SELECT.where(condition)).first()
    return None if row is None else Graph(**row._mapping)


_VERSION = (
    graph_versions.c.graph_id,
    graph_versions.c.version,
    graph_versions.c.sha256,
    graph_versions.c.document,
    graph_versions.c.created_by,
    graph_versions.c.created_at,
    graph_versions.c.annotations,
)
