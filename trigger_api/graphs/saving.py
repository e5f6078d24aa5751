"""Saving a checked document: as a new graph, or as a version of the graph that the path names."""

from __future__ import annotations

from dataclasses import dataclass

from graph_compiler.language.issues import Issue
from platform_core.audit.entry import Author
from platform_core.database.engine import Connection, reading
from platform_core.errors import GraphNotFound, InvalidGraph
from platform_core.graphs import graph_store
from platform_core.graphs.graph_store import Graph, Saved
from platform_core.identity.auth import Principal
from platform_core.triggers.timer_store import sync_timers
from platform_core.triggers.trigger_store import Trigger, list_triggers, sync_triggers
from platform_core.web.services import Services
from trigger_api.live.checker import CheckedDocument
from trigger_api.shared.graph_access import find_graph


@dataclass(frozen=True)
class SavedGraph:
    """A graph as it is once the document is its current version; the triggers keep what they had before."""

    graph: Graph
    is_new: bool
    document: str
    annotations: str | None
    triggers: list[Trigger]


def owner_of(services: Services, principal: Principal, reference: str) -> str:
    """The id of the user who owns, or would own, the graph of that reference. Raises `GraphNotFound`."""
    if graph_store.is_name(reference):
        return principal.user_id
    with reading(services.engine) as connection:
        return find_graph(connection, principal, reference).owner_id


def put(
    connection: Connection,
    principal: Principal,
    author: Author,
    reference: str,
    document: CheckedDocument,
    if_match: str | None,
) -> SavedGraph:
    """Save as the graph named by `reference`; a plain name that is free creates it.

    Raises `GraphNotFound`, `PreconditionFailed`, and `InvalidGraph` when document and path name different graphs.
    """
    try:
        graph = find_graph(connection, principal, reference)
    except GraphNotFound:
        if not graph_store.is_name(reference):
            raise
        _demand_name(document, reference)
        return save(connection, author, principal.user_id, document, if_match=if_match)
    _demand_name(document, graph.name)
    return save(connection, author, graph.owner_id, document, if_match=if_match)


def _demand_name(document: CheckedDocument, name: str) -> None:
    if document.name == name:
        return
    message = f"The document is named {document.name}, the path names {name}."
    raise InvalidGraph(message, [Issue("name_mismatch", "/name", message).as_dict()])


def save(
    connection: Connection,
    author: Author,
    owner_id: str,
    document: CheckedDocument,
    *,
    if_match: str | None = None,
    must_not_exist: bool = False,
) -> SavedGraph:
    """Save as the owner's graph of the document's name.

    Raises `GraphExists` if there is one with other content that `must_not_exist`, and `PreconditionFailed`.
    """
    assert author.id is not None
    graph, saved = graph_store.save_graph(
        connection,
        owner_id=owner_id,
        name=document.name,
        document=document.canonical,
        sha256=document.sha256,
        annotations=document.annotations,
        created_by=author.id,
        if_match=if_match,
        must_not_exist=must_not_exist,
        author=author,
    )
    if saved in (Saved.UNCHANGED, Saved.ANNOTATED):
        triggers = list_triggers(connection, graph.id)
    else:
        triggers = sync_triggers(connection, graph.id, document.triggers)
        sync_timers(connection, graph.id, document.timers)
    return SavedGraph(graph, saved is Saved.CREATED, document.canonical, document.annotations, triggers)
