"""The WebSocket routes."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated, TypeVar

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocketDisconnect

from platform_core.errors import ForeignPage, InvalidRequest
from platform_core.identity.session_store import SESSION_COOKIE
from platform_core.web.own_pages import demand_own_page
from platform_core.web.problems import request_issue
from platform_core.web.query import names_of, query_issues, refuse_query
from platform_core.web.services import services_of
from stream_api.following.filters import split
from stream_api.serving.streams import Streams
from stream_api.sessions.closing import closed_by
from stream_api.sessions.messages import Filters, Refusal, Subscribe, Window
from stream_api.sessions.session import Session

router = APIRouter(prefix="/api/v1")


class SocketQuery(BaseModel):
    """The query of every socket."""

    model_config = ConfigDict(extra="ignore", frozen=True)  # what is unknown is found before, with a hint

    ticket: Annotated[str | None, Field(max_length=200)] = None


class RunQuery(SocketQuery):
    """The query of a socket of one run: as that of its Server-Sent Events, and `window`."""

    cursor: Annotated[str | None, Field(max_length=200)] = None
    types: Annotated[str | None, Field(max_length=2000)] = None
    nodes: Annotated[str | None, Field(max_length=20_000)] = None
    level: Annotated[str | None, Field(max_length=20)] = None
    window: Window = None

    def opening(self, run_id: str) -> Subscribe:
        """The subscription that the socket begins with."""
        filters = Filters.model_construct(types=split(self.types), nodes=split(self.nodes), level=self.level)
        return Subscribe.model_construct(
            op="subscribe", id="", run=run_id, cursor=self.cursor, filters=filters, window=self.window
        )


Query = TypeVar("Query", bound=SocketQuery)


@router.websocket("/runs/{run_id}/ws")
async def follow_run(websocket: WebSocket, run_id: str) -> None:
    """The events of one run, as over SSE; closed with 1000 after the final one. Query: as for SSE, and `window`."""
    query = await _accepted(websocket, RunQuery)
    if query is not None:
        await _serve(websocket, query, run_id, query.opening(run_id))


@router.websocket("/ws")
async def follow_many(websocket: WebSocket) -> None:
    """Many subscriptions on one socket, made by messages."""
    query = await _accepted(websocket, SocketQuery)
    if query is not None:
        await _serve(websocket, query, None, None)


async def _accepted(websocket: WebSocket, model: type[Query]) -> Query | None:
    """The query of a socket, accepted; None if the query was refused and the socket closed."""
    # Accepted before anything is checked: a browser gives its page the code of a close, but not of a refusal.
    await websocket.accept()
    try:
        return read_query(websocket, model)
    except InvalidRequest as error:
        closed = closed_by(error)
        assert closed.code is not None
        with suppress(WebSocketDisconnect):
            await websocket.send_text(Refusal(id=None, code=error.code, detail=error.detail).model_dump_json())
            await websocket.close(closed.code, closed.reason)
        return None


def read_query(websocket: WebSocket, model: type[Query]) -> Query:
    """The query of a socket. Raises `InvalidRequest` that names everything that is wrong with it."""
    given = websocket.query_params
    issues = query_issues(given, names_of(model))
    try:
        query = model.model_validate(dict(given))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        issues += [request_issue({**fault, "loc": ("query", *fault["loc"])}) for fault in found]
    if issues:
        refuse_query(issues)
    return query


async def _serve(websocket: WebSocket, query: SocketQuery, only_run: str | None, opening: Subscribe | None) -> None:
    streams = websocket.app.state.streams
    assert isinstance(streams, Streams)
    session = Session(websocket, services_of(websocket), streams, only_run)
    await session.serve(_bearer(websocket), query.ticket, opening, _session_id(websocket))


def _session_id(websocket: WebSocket) -> str | None:
    """The browser's session, for pages of ours only: a browser sends the cookie with the sockets of any page."""
    try:
        demand_own_page(websocket, services_of(websocket).settings.public_url)
    except ForeignPage:
        return None
    return websocket.cookies.get(SESSION_COOKIE)


def _bearer(websocket: WebSocket) -> str | None:
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None
