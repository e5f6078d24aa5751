"""The HTTP routes of the streams."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from platform_core.errors import BadCursor, RunNotFound, Unavailable
from platform_core.web.dependencies import AUTH_ERRORS, BearerDep, ServicesDep
from platform_core.web.problems import problems
from stream_api import sse
from stream_api.access import Credentials, find_start
from stream_api.streams import Streams

router = APIRouter(prefix="/api/v1", tags=["events"])

TicketQuery = Annotated[
    str | None, Query(max_length=200, description="A single-use ticket, for clients that cannot send a bearer token.")
]
CursorQuery = Annotated[
    str | None, Query(max_length=200, description="The `id` of the last event seen; without one, from the beginning.")
]
LastEventId = Annotated[
    str | None, Header(max_length=200, description="As `cursor`; EventSource sends it when it reconnects, and it wins.")
]


def _credentials(bearer: BearerDep, ticket: TicketQuery = None) -> Credentials:
    return Credentials(bearer, ticket)


def _streams(request: Request) -> Streams:
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    return streams


@router.get(
    "/runs/{run_id}/events",
    operation_id="follow_run",
    response_class=Response,
    responses={
        200: {"description": "Events, one to a message.", "content": {"text/event-stream": {}}},
        204: {"description": "The client has seen the final event; EventSource does not come back."},
        **problems(*AUTH_ERRORS, BadCursor, RunNotFound, Unavailable),
    },
)
async def follow_run(
    run_id: str,
    services: ServicesDep,
    streams: Annotated[Streams, Depends(_streams)],
    credentials: Annotated[Credentials, Depends(_credentials)],
    cursor: CursorQuery = None,
    last_event_id: LastEventId = None,
) -> Response:
    """Follow a run: every event behind the cursor exactly once and in order, until the final one ends the stream."""
    # EventSource repeats its first address when it reconnects, so the header is the newer of both.
    position = last_event_id or cursor
    start = await run_in_threadpool(find_start, services, credentials, run_id, position)
    if start is None:
        return Response(status_code=204)
    return sse.response(streams.follow(run_id, start), heartbeat=services.settings.heartbeat, stopping=streams.stopping)
