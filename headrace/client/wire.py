"""What requests, answers and messages mean, for the blocking and for the asynchronous client alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

import httpx

from headrace.client.errors import Interrupted, Refused
from headrace.client.progress import Event, StreamProgress, Wanted

Transport = Literal["sse", "websocket"]

TRY_AGAIN = frozenset({1001, 1006, 1011, 1012, 1013})
"""Close codes after which the client comes back with its cursor; any other one is an answer."""

SOCKET_OPTIONS: dict[str, Any] = {
    "max_size": None,
    "compression": None,
    "proxy": None,
    # Who leaves in the middle does not read what is on its way, so the server's answer may never be seen.
    "close_timeout": 0.5,
}


def events_path(run_id: str) -> str:
    """The path of a run's Server-Sent Events."""
    return f"/api/v1/runs/{quote(run_id, safe='~')}/events"


def socket_address(url: str, run_id: str, progress: StreamProgress, wanted: Wanted) -> str:
    """The address of a run's WebSocket from the cursor on; http becomes ws and https becomes wss."""
    query = wanted.query() | ({} if progress.cursor is None else {"cursor": progress.cursor})
    path = f"/api/v1/runs/{quote(run_id, safe='~')}/ws"
    return f"ws{url.rstrip('/').removeprefix('http')}{path}" + (f"?{urlencode(query)}" if query else "")


def stream_request(url: str, run_id: str, token: str, progress: StreamProgress, wanted: Wanted) -> dict[str, Any]:
    """The request for a run's Server-Sent Events from the cursor on."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream", "Cache-Control": "no-store"}
    return {
        "url": url + events_path(run_id),
        "headers": headers if progress.cursor is None else headers | {"Last-Event-ID": progress.cursor},
        "params": wanted.query() | ({"follow": "false"} if progress.only_stored else {}),
        "timeout": httpx.Timeout(10.0, read=progress.wait),
    }


@dataclass
class Block:
    """The Server-Sent Event that is being read, line by line."""

    id: str = ""
    event: str = ""
    data: str = ""

    def feed(self, line: str) -> Block | None:
        """The block, when this line completed it. Only what this server sends is understood."""
        if not line:
            complete = Block(self.id, self.event, self.data)
            self.id = self.event = self.data = ""
            return complete
        name, _, value = line.partition(": ")
        if name in {"id", "event", "data"}:
            setattr(self, name, value)
        return None


def event_of(block: Block, progress: StreamProgress) -> Event | None:
    """The event of a block, None for one that only moves the cursor or says that all that is stored was sent.

    Raises `Interrupted` when the server says that it goes away.
    """
    if block.event == "going_away":
        reason = json.loads(block.data)["reason"]
        raise Interrupted(reason, at_once=reason == "stopping")
    if block.event == "caught_up":
        progress.ended = True
        return None
    if not block.data:
        progress.cursor = block.id or progress.cursor
        return None
    event: Event = json.loads(block.data)
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
