"""The WebSocket routes."""

from __future__ import annotations

from fastapi import APIRouter, WebSocket

from platform_core.web.services import services_of
from stream_api.following.filters import split
from stream_api.serving.streams import Streams
from stream_api.sessions.messages import Filters, Subscribe
from stream_api.sessions.session import Session

router = APIRouter(prefix="/api/v1")


@router.websocket("/runs/{run_id}/ws")
async def follow_run(websocket: WebSocket, run_id: str) -> None:
    """The events of one run, as over SSE; closed with 1000 behind the final one. Query: as for SSE, and `window`."""
    query = websocket.query_params
    filters = Filters.model_construct(
        types=split(query.get("types")), nodes=split(query.get("nodes")), level=query.get("level")
    )
    window = query.get("window", "")
    opening = Subscribe.model_construct(
        op="subscribe",
        id="",
        run=run_id,
        cursor=query.get("cursor"),
        filters=filters,
        window=int(window) if window.isdecimal() and 0 < len(window) < 6 else None,
    )
    await _serve(websocket, run_id, opening)


@router.websocket("/ws")
async def follow_many(websocket: WebSocket) -> None:
    """Many subscriptions on one socket, made by messages."""
    await _serve(websocket, None, None)


async def _serve(websocket: WebSocket, only_run: str | None, opening: Subscribe | None) -> None:
    # Accepted before anything is checked: a browser tells its page the code of a close, but not of a refusal.
    await websocket.accept()
    streams = websocket.app.state.streams
    assert isinstance(streams, Streams)
    session = Session(websocket, services_of(websocket), streams, only_run)
    await session.serve(_bearer(websocket), websocket.query_params.get("ticket"), opening)


def _bearer(websocket: WebSocket) -> str | None:
    scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token else None
