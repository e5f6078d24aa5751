"""A small SSE client for tests: it keeps comments too, which well-behaved libraries drop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Block:
    """What stood between two empty lines of a stream."""

    id: str | None
    event: str | None
    data: dict[str, Any] | None
    comment: str | None
    retry: str | None


@dataclass(frozen=True)
class SseClient:
    """Reads streams of one server with one token."""

    url: str
    token: str
    http: httpx.Client

    @contextmanager
    def open(self, run_id: str, cursor: str | None = None) -> Iterator[Iterator[Block]]:
        """The blocks of one connection."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Last-Event-ID": cursor} if cursor else {})
        address = f"{self.url}/api/v1/runs/{run_id}/events"
        with self.http.stream("GET", address, headers=headers) as response:
            response.raise_for_status()
            yield _blocks(response)

    def events(self, run_id: str, cursor: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """Events until the stream ends or `limit` of them came."""
        found: list[dict[str, Any]] = []
        if limit == 0:
            return found
        with self.open(run_id, cursor) as blocks:
            for block in blocks:
                if block.data is not None and block.event != "going_away":
                    assert (block.id, block.event) == (block.data["id"], block.data["type"])
                    found.append(block.data)
                if limit is not None and len(found) >= limit:
                    break
        return found


def _blocks(response: httpx.Response) -> Iterator[Block]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name or "comment"] = value
            if line.startswith(": "):
                fields["comment"] = line[2:]
        elif fields:
            data = json.loads(fields["data"]) if "data" in fields else None
            yield Block(fields.get("id"), fields.get("event"), data, fields.get("comment"), fields.get("retry"))
            fields = {}
