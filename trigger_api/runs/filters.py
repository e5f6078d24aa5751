"""The query parameters by which runs are listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from platform_core.database.engine import Connection
from platform_core.identity.auth import Principal
from platform_core.runs.run_list import RunFilter
from trigger_api.runs.schemas import Status
from trigger_api.shared.graph_access import find_graph

_NO_NUL = r"^[^\x00]*$"
_Tag = Annotated[str, Query(min_length=1, max_length=1201, pattern=_NO_NUL)]
_Moment = "A time such as `2026-11-28T09:00:00Z`; without a zone it is UTC."


@dataclass(frozen=True)
class FilterQuery:
    """What a list of runs is filtered by, as the request names it."""

    graph: str | None
    rest: RunFilter

    def resolved(self, connection: Connection, principal: Principal) -> RunFilter:
        """The filter of runs that the principal may see. Raises `GraphNotFound`."""
        graph = None if self.graph is None else find_graph(connection, principal, self.graph)
        return RunFilter(
            **{
                **vars(self.rest),
                "owner_id": None if principal.is_admin else principal.user_id,
                "graph_id": None if graph is None else graph.id,
            }
        )


async def _filter(
    graph: Annotated[str | None, Query(description="Name or id of a graph.")] = None,
    status: Annotated[Status | None, Query()] = None,
    trigger: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=63,
            pattern=r"^[a-z][a-z0-9_-]*$",
            description="Kind of trigger (`manual`, `webhook`, `schedule`), or the id of one in the graph's document.",
        ),
    ] = None,
    tag: Annotated[
        list[_Tag] | None, Query(max_length=20, description="`name` or `name=value`; runs that have all of them.")
    ] = None,
    parent: Annotated[
        str | None, Query(max_length=100, pattern=r"^[A-Za-z0-9-]+$", description="Retries of the run of this id.")
    ] = None,
    since: Annotated[datetime | None, Query(description=f"Created then or later. {_Moment}")] = None,
    until: Annotated[datetime | None, Query(description=f"Created before then. {_Moment}")] = None,
    q: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            pattern=_NO_NUL,
            description="Text in the id, the graph's name, params, tags or error; capitals do not matter.",
        ),
    ] = None,
) -> FilterQuery:
    rest = RunFilter(
        status=status, trigger=trigger, tags=tag or (), parent=parent, since=_aware(since), until=_aware(until), text=q
    )
    return FilterQuery(graph, rest)


def _aware(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


FilterDep = Annotated[FilterQuery, Depends(_filter)]
