"""Graphs: saved as immutable versions, read, listed, checked and deleted."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response

from graph_compiler.checking.schema import document_schema
from graph_compiler.checking.secret_uses import secret_uses
from graph_compiler.language.annotations import whole
from graph_compiler.values.difference import differences
from platform_core.database.engine import transaction
from platform_core.errors import (
    BadCursor,
    GraphExists,
    GraphNotFound,
    InvalidGraph,
    InvalidRequest,
    PreconditionFailed,
    TooLarge,
    Unavailable,
    VersionNotFound,
)
from platform_core.graphs import graph_store
from platform_core.graphs.graph_store import get_version
from platform_core.limits import DEFAULT_PAGE
from platform_core.triggers.trigger_store import list_triggers
from platform_core.web.dependencies import (
    AUTH_ERRORS,
    ConnectionDep,
    CursorQuery,
    GraphReader,
    GraphWriter,
    LimitQuery,
    ServicesDep,
)
from platform_core.web.origin import OriginDep
from platform_core.web.problems import problems
from trigger_api.graphs import saving
from trigger_api.graphs.documents import REQUEST_BODY, DocumentDep
from trigger_api.graphs.saving import SavedGraph
from trigger_api.graphs.schemas import (
    DifferenceAnswer,
    GraphAnswer,
    GraphSummary,
    IssueAnswer,
    NodeTypeAnswer,
    OneGraphAnswer,
    ValidationAnswer,
    VersionAnswer,
    VersionSummary,
)
from trigger_api.live.state import StateDep
from trigger_api.shared.graph_access import find_graph
from trigger_api.shared.links import Links, LinksDep
from trigger_api.shared.schemas import PageOf

router = APIRouter(prefix="/api/v1", tags=["graphs"])

_ERRORS = (*AUTH_ERRORS, InvalidRequest, Unavailable)
_CREATED: dict[int | str, dict[str, Any]] = {201: {"model": GraphAnswer, "description": "Created"}}
_IfMatch = Annotated[str | None, Header(description="The ETag the graph must have.")]
_Version = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post(
    "/graphs",
    operation_id="create_graph",
    openapi_extra=REQUEST_BODY,
    responses=_CREATED | problems(*_ERRORS, GraphExists, InvalidGraph, TooLarge),
)
def create_graph(
    principal: GraphWriter,
    document: DocumentDep,
    services: ServicesDep,
    state: StateDep,
    origin: OriginDep,
    links: LinksDep,
    response: Response,
) -> GraphAnswer:
    """Save a new graph; 200 if it exists with the same content. Graphs that it calls are pinned to a version."""
    valid = state.checker.checked(document.text, document.syntax, principal.user_id)
    with transaction(services.engine) as connection:
        saved = saving.save(connection, origin.author(principal), principal.user_id, valid, must_not_exist=True)
    return _answer(saved, links, response)


@router.put(
    "/graphs/{graph}",
    operation_id="put_graph",
    openapi_extra=REQUEST_BODY,
    responses=_CREATED | problems(*_ERRORS, GraphNotFound, PreconditionFailed, InvalidGraph, TooLarge),
)
def put_graph(
    principal: GraphWriter,
    graph: str,
    document: DocumentDep,
    services: ServicesDep,
    state: StateDep,
    origin: OriginDep,
    links: LinksDep,
    response: Response,
    if_match: _IfMatch = None,
) -> GraphAnswer:
    """Save a new version of a graph, or create the graph. Content of an older version makes that one current again.

    `tests` and `layout` are stored beside a version: where only they differ, it stays the version that it is.
    """
    owner_id = saving.owner_of(services, principal, graph)
    valid = state.checker.checked(document.text, document.syntax, owner_id)
    with transaction(services.engine) as connection:
        saved = saving.put(connection, principal, origin.author(principal), graph, valid, if_match)
    return _answer(saved, links, response)


def _answer(saved: SavedGraph, links: Links, response: Response) -> GraphAnswer:
    answer = GraphAnswer.whole(saved.graph, saved.document, saved.annotations, saved.triggers, links)
    response.headers["ETag"] = saved.graph.etag
    if saved.is_new:
        response.status_code = 201
        response.headers["Location"] = answer.links["self"]
    return answer


@router.get("/graphs", operation_id="list_graphs", responses=problems(*_ERRORS, BadCursor))
def list_graphs(
    principal: GraphReader,
    connection: ConnectionDep,
    links: LinksDep,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[GraphSummary]:
    """List the caller's graphs by name; an administrator's list has everybody's."""
    owner_id = None if principal.is_admin else principal.user_id
    page = graph_store.list_graphs(connection, owner_id=owner_id, limit=limit, cursor=cursor)
    return PageOf(items=[GraphSummary.of(graph, links) for graph in page.items], next_cursor=page.next_cursor)


@router.post(
    "/graphs/validate",
    operation_id="validate_graph",
    openapi_extra=REQUEST_BODY,
    responses=problems(*_ERRORS, TooLarge),
)
def validate_graph(principal: GraphReader, document: DocumentDep, state: StateDep) -> ValidationAnswer:
    """Check a document as one of the caller's and answer all its issues at once; nothing is saved."""
    issues = state.checker.check(document.text, document.syntax, principal.user_id).issues
    return ValidationAnswer(valid=not issues, issues=[IssueAnswer(**issue.as_dict()) for issue in issues])


@router.get("/graphs/{graph}", operation_id="get_graph", responses=problems(*_ERRORS, GraphNotFound))
def get_graph(
    principal: GraphReader,
    connection: ConnectionDep,
    state: StateDep,
    graph: str,
    links: LinksDep,
    response: Response,
) -> OneGraphAnswer:
    """Get a graph with its current document, triggers and ETag, and which of its nodes may read which secrets."""
    found = find_graph(connection, principal, graph)
    response.headers["ETag"] = found.etag
    stored = get_version(connection, found.id, found.version)
    triggers = list_triggers(connection, found.id)
    answer = GraphAnswer.whole(found, stored.document, stored.annotations, triggers, links)
    uses = secret_uses(state.specs.spec(connection, found.id, found.version), state.checker.node_types)
    return OneGraphAnswer.with_secrets(answer, uses)


@router.delete(
    "/graphs/{graph}",
    status_code=204,
    operation_id="delete_graph",
    responses=problems(*_ERRORS, GraphNotFound, PreconditionFailed),
)
def delete_graph(
    principal: GraphWriter, connection: ConnectionDep, origin: OriginDep, graph: str, if_match: _IfMatch = None
) -> None:
    """Delete a graph. Its runs stay readable, those under way go on, and graphs that call it keep their version."""
    found = find_graph(connection, principal, graph)
    graph_store.delete_graph(connection, found.id, if_match=if_match, author=origin.author(principal))


@router.get(
    "/graphs/{graph}/versions", operation_id="list_versions", responses=problems(*_ERRORS, GraphNotFound, BadCursor)
)
def list_versions(
    principal: GraphReader,
    connection: ConnectionDep,
    graph: str,
    links: LinksDep,
    limit: LimitQuery = DEFAULT_PAGE,
    cursor: CursorQuery = None,
) -> PageOf[VersionSummary]:
    """List the versions of a graph, the newest first."""
    graph_id = find_graph(connection, principal, graph).id
    page = graph_store.list_versions(connection, graph_id, limit=limit, cursor=cursor)
    return PageOf(items=[VersionSummary.of(version, links) for version in page.items], next_cursor=page.next_cursor)


@router.get(
    "/graphs/{graph}/versions/{version}",
    operation_id="get_version",
    responses=problems(*_ERRORS, GraphNotFound, VersionNotFound),
)
def get_graph_version(
    principal: GraphReader, connection: ConnectionDep, graph: str, version: _Version, links: LinksDep
) -> VersionAnswer:
    """Get one version with its document."""
    graph_id = find_graph(connection, principal, graph).id
    return VersionAnswer.of(get_version(connection, graph_id, version), links)


@router.get(
    "/graphs/{graph}/versions/{version}/diff/{other}",
    operation_id="diff_versions",
    responses=problems(*_ERRORS, GraphNotFound, VersionNotFound),
)
def diff_versions(
    principal: GraphReader, connection: ConnectionDep, graph: str, version: _Version, other: _Version
) -> DifferenceAnswer:
    """Compare two versions: what `other` changes of `version`, nodes and triggers by id, edges by their ends."""
    graph_id = find_graph(connection, principal, graph).id
    found = (get_version(connection, graph_id, number) for number in (version, other))
    older, newer = (whole(each.document, each.annotations) for each in found)
    return DifferenceAnswer.of(version, other, differences(older, newer))


@router.get("/schema", operation_id="get_schema")
def get_schema(state: StateDep) -> dict[str, Any]:
    """The JSON Schema of graph documents, for editors; public, because editors do not log in."""
    return document_schema(state.checker.node_types)


@router.get("/node-types", operation_id="list_node_types")
def list_node_types(state: StateDep) -> PageOf[NodeTypeAnswer]:
    """The node types a document may use, with the schemas of their configs."""
    items = [NodeTypeAnswer(**node_type.describe()) for node_type in state.checker.node_types.values()]
    return PageOf(items=items, next_cursor=None)
