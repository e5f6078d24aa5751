"""Follows a run over Server-Sent Events; a lost connection is taken up again behind the last event seen."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
from httpx_sse import SSEError, connect_sse

from headrace_cli.client import Client, Refused, accepted, segment, unreachable

_PATIENCE = 60.0
"""Seconds without an answer after which following is given up."""

_SILENCE = 45.0
"""Seconds without even a heartbeat after which a connection counts as dead; the server sends one every 15."""


class Silence(Exception):
    """Nothing came for as long as the caller wanted to wait."""


def follow(
    client: Client, run_id: str, *, quiet_for: float | None = None, until: float | None = None
) -> Iterator[dict[str, Any]]:
    """The run's events from its first to its final one.

    Raises `Silence` when nothing came for `quiet_for` seconds or when the monotonic clock passes `until`, `Refused`
    for a run that is not there, and `CommandError` when the server stays away for a minute.
    """
    cursor: str | None = None
    heard = time.monotonic()
    while True:
        try:
            for event in _connected(client, run_id, cursor, quiet_for, until):
                cursor, heard = event["id"], time.monotonic()
                yield event
                if event.get("final"):
                    return
        except (httpx.TransportError, SSEError, Refused) as error:
            if isinstance(error, Refused) and error.status != 503:
                raise
            if time.monotonic() - heard > _PATIENCE:
                raise unreachable(client.server, error) from error
        if until is not None and time.monotonic() > until:
            raise Silence
        time.sleep(0.5)


def _connected(
    client: Client, run_id: str, cursor: str | None, quiet_for: float | None, until: float | None
) -> Iterator[dict[str, Any]]:
    """Events of one connection."""
    wait = min(filter(None, (_SILENCE, quiet_for, None if until is None else max(0.05, until - time.monotonic()))))
    headers = {} if cursor is None else {"Last-Event-ID": cursor}
    timeout = httpx.Timeout(10.0, read=wait)
    path = f"/api/v1/runs/{segment(run_id)}/events"
    try:
        with connect_sse(client.http, "GET", path, headers=headers, timeout=timeout) as source:
            accepted(source.response)
            for message in source.iter_sse():
                if message.data:
                    yield json.loads(message.data)
                if until is not None and time.monotonic() > until:
                    raise Silence
    except httpx.ReadTimeout:
        if wait < _SILENCE:
            raise Silence from None
        raise
