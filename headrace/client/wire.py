"""What requests, answers and messages mean, for the blocking and for the asynchronous client alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx
from httpx_sse import ServerSentEvent

from headrace.client.errors import Interrupted, Refused
from headrace.client.progress import Event, StreamProgress, Wanted

Transport = Literal["sse", "websocket"]

TRY_AGAIN = frozenset({1001, 1006, 1011, 1012, 1013})
"""Close codes after which the client comes back with its cursor; any other one is an answer."""


def events_path(run_id: str) -> str:
    """The path of a run's Server-Sent Events."""
    return f"/api/v1/runs/{quote(run_id, safe='~')}/events"


def socket_address(url: str, run_id: str, progress: StreamProgress, wanted: Wanted) -> str:
    """The address of a run's WebSocket from the cursor on; http becomes ws and https becomes wss."""
    query = wanted.query() | ({} if progress.cursor is None else {"cursor": progress.cursor})
    path = f"/api/v1/runs/{quote(run_id, safe='~')}/ws"
    return f"ws{url.rstrip('/').removeprefix('http')}{path}" + (f"?{urlencode(query)}" if query else "")


def reconnect_headers(progress: StreamProgress) -> dict[str, str]:
    """The header that says where to go on."""
    return {} if progress.cursor is None else {"Last-Event-ID": progress.cursor}


def event_of(message: ServerSentEvent, progress: StreamProgress) -> Event | None:
    """The event of a message, None for one that only moves the cursor. Raises `Interrupted` when told to go away."""
    progress.heard()
    if message.event == "going_away":
        raise Interrupted(json.loads(message.data)["reason"], at_once=True)
    if not message.data:
        if message.id:
            progress.cursor = message.id
        return None
    event: Event = json.loads(message.data)
    return event


def event_of_text(text: str | bytes, progress: StreamProgress) -> Event | None:
    """The event of a socket's message, None for a message of the protocol."""
    progress.heard()
    message: Event = json.loads(text)
    return None if "op" in message else message


def check_answer(response: httpx.Response, body: bytes) -> None:
    """Raises `Refused` for an answer that another attempt would not better, `Interrupted` for one it might."""
    if response.is_success:
        return
    if response.status_code in {502, 503, 504}:
        raise Interrupted(f"status {response.status_code}")
    raise Refused(response.status_code, _problem(body))


def interruption(code: int | None, reason: str) -> Interrupted:
    """What a socket's close means. Raises `Refused` when the server does not want the client back."""
    if code is None or code in TRY_AGAIN:
        return Interrupted(reason or code, at_once=code == 1001)
    raise Refused(code, {"code": reason, "detail": f"The server closed the socket: {reason or code}."})


def _problem(body: bytes) -> Mapping[str, Any]:
    try:
        problem = json.loads(body)
    except ValueError:
        return {"detail": "This does not look like a Headrace server."}
    return problem if isinstance(problem, dict) else {}
