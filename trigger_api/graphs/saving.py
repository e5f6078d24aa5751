"""Saving a checked document: as a new graph, or as a version of the graph that the path names."""

from __future__ import annotations

from platform_core.database.engine import Connection, reading
from platform_core.errors import GraphNotFound, InvalidGraph
from platform_core.graphs import graph_store
from platform_core.graphs.graph_store import Graph, Saved
from platform_core.identity.auth import Principal
from platform_core.triggers.timer_store import sync_timers
from platform_core.triggers.trigger_store import sync_triggers
from platform_core.web.services import Services
from trigger_api.graphs.documents import CheckedDocument
from trigger_api.shared.graph_access import find_graph


def owner_of(services: Services, principal: Principal, reference: str) -> str:
    """The id of the user who owns, or would own, the graph of that reference. Raises `GraphNotFound`."""
    if graph_store.is_name(reference):
        return principal.user_id
    with reading(services.engine) as connection:
        return find_graph(connection, principal, reference).owner_id


def create(connection: Connection, principal: Principal, document: CheckedDocument) -> tuple[Graph, Saved]:
    """Save as the caller's graph. Raises `GraphExists` when there is one with other content."""
    return _save(connection, principal.user_id, principal, document, must_not_exist=True)


def put(
    connection: Connection, principal: Principal, reference: str, document: CheckedDocument, if_match: str | None
) -> tuple[Graph, Saved]:
    """Save as the graph named by `reference`; a plain name that is free creates it.

    Raises `GraphNotFound`, `PreconditionFailed`, and `InvalidGraph` when document and path name different graphs.
    """
    try:
        graph = find_graph(connection, principal, reference)
    except GraphNotFound:
        if not graph_store.is_name(reference):
            raise
        _demand_name(document, reference)
        return _save(connection, principal.user_id, principal, document, if_match=if_match)
    _demand_name(document, graph.name)
    return _save(connection, graph.owner_id, principal, document, if_match=if_match)


def _demand_name(document: CheckedDocument, name: str) -> None:
    if document.spec.name == name:
        return
    message = f"The document is named {document.spec.name}, the path names {name}."
    issue = {"code": "name_mismatch", "path": "/name", "message": message, "line": None, "column": None, "hint": None}
    raise InvalidGraph(message, [issue])


def _save(
    connection: Connection,
    owner_id: str,
    principal: Principal,
    document: CheckedDocument,
    *,
    if_match: str | None = None,
    must_not_exist: bool = False,
) -> tuple[Graph, Saved]:
    graph, saved = graph_store.save_graph(
        connection,
        owner_id=owner_id,
        name=document.spec.name,
        document=document.canonical,
        sha256=document.sha256,
        annotations=document.annotations,
        created_by=principal.user_id,
        if_match=if_match,
        must_not_exist=must_not_exist,
    )
    if saved in (Saved.CREATED, Saved.NEW_VERSION):
        sync_triggers(connection, graph.id, document.triggers())
        sync_timers(connection, graph.id, document.timers())
    return graph, saved
