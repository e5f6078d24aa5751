"""The HTTP route of the event streams."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from platform_core.errors import BadCursor, BadFilter, RunNotFound, TooManyStreams, Unavailable
from platform_core.runs.run_event_store import parse_cursor
from platform_core.web.dependencies import AUTH_ERRORS, BearerDep, ServicesDep, SessionDep
from platform_core.web.own_pages import refuse_foreign_page
from platform_core.web.problems import problems
from stream_api.following.filters import LEVELS, EventFilter, parse_filter, split
from stream_api.following.follower import Follower
from stream_api.routes.sse import EventStream
from stream_api.serving.access import Admission, admit
from stream_api.serving.rights import Right
from stream_api.serving.streams import Streams

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


FollowQuery = Annotated[
    bool, Query(description="False: end after what is stored now, with `caught_up`, instead of waiting for more.")
]


def _wanted(
    types: Annotated[
        str | None, Query(max_length=2000, description="Only these types: `node.*,log`. The final event always comes.")
    ] = None,
    nodes: Annotated[str | None, Query(max_length=20_000, description="Only events of these nodes.")] = None,
    level: Annotated[str | None, Query(max_length=20, description=f"At least this: {', '.join(LEVELS)}.")] = None,
) -> EventFilter:
    return parse_filter(split(types), split(nodes), level)


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
        **problems(*AUTH_ERRORS, BadCursor, BadFilter, RunNotFound, TooManyStreams, Unavailable),
    },
)
async def follow_run(
    request: Request,
    run_id: str,
    services: ServicesDep,
    streams: Annotated[Streams, Depends(_streams)],
    bearer: BearerDep,
    session_id: SessionDep,
    wanted: Annotated[EventFilter, Depends(_wanted)],
    ticket: TicketQuery = None,
    cursor: CursorQuery = None,
    follow: FollowQuery = True,
    last_event_id: LastEventId = None,
) -> Response:
    """Follow a run: every event after the cursor exactly once and in order, until the final one ends the stream."""
    # EventSource repeats its first address when it reconnects, so the header is the newer of both.
    position = last_event_id or cursor
    if bearer is None and ticket is None and session_id is not None:
        refuse_foreign_page(request, services.settings.public_url)
    admission = await run_in_threadpool(
        admit, services, run_id, position, bearer=bearer, ticket=ticket, session_id=session_id
    )
    parse_cursor(cursor)  # the one that does not count is not ignored either
    if admission.after is None:
        return Response(status_code=204)
    opening = _Opening(streams, run_id, admission, admission.after, wanted)
    return EventStream(opening, streams.measures.sse, until=None if follow else admission.last)


class _Opening:
    """Subscribes when the response begins, so that one that never begins leaves nothing behind.

    Raises `TooManyStreams`, which still becomes the answer: nothing was sent before.
    """

    def __init__(self, streams: Streams, run_id: str, admission: Admission, after: int, wanted: EventFilter) -> None:
        self._streams = streams
        self._run_id = run_id
        self._admission = admission
        self._after = after
        self._wanted = wanted

    def __call__(self, stack: ExitStack) -> Follower:
        admission = self._admission
        stack.enter_context(self._streams.connected())
        stack.enter_context(self._streams.rights.room(admission.principal))
        follower = stack.enter_context(self._streams.hub.follow(self._run_id, self._after, self._wanted))
        right = Right(admission.principal, admission.credentials, admission.demand, follower.end)
        stack.enter_context(self._streams.rights.held(right))
        return follower
