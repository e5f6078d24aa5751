"""The triggers of a graph."""

from __future__ import annotations

from fastapi import APIRouter

from platform_core.errors import GraphNotFound, InvalidRequest, Unavailable
from platform_core.trigger_store import list_triggers as stored_triggers
from platform_core.web.dependencies import AUTH_ERRORS, ConnectionDep, GraphReader
from platform_core.web.problems import problems
from trigger_api.graph_access import find_graph
from trigger_api.links import LinksDep
from trigger_api.schemas import PageOf
from trigger_api.triggers.schemas import TriggerAnswer

router = APIRouter(prefix="/api/v1/graphs/{graph}/triggers", tags=["triggers"])


@router.get(
    "",
    operation_id="list_triggers",
    responses=problems(*AUTH_ERRORS, GraphNotFound, InvalidRequest, Unavailable),
)
def list_triggers(
    principal: GraphReader, connection: ConnectionDep, graph: str, links: LinksDep
) -> PageOf[TriggerAnswer]:
    """List the triggers of the graph's current version; one page holds them all."""
    found = stored_triggers(connection, find_graph(connection, principal, graph).id)
    return PageOf(items=[TriggerAnswer.of(trigger, links) for trigger in found], next_cursor=None)
