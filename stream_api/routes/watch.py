"""The page that shows a run live, and the session it runs on: what it may see, for longer than a ticket lasts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from platform_core.database.engine import transaction
from platform_core.errors import RunNotFound, Unavailable
from platform_core.graphs.graph_store import get_version
from platform_core.identity.auth import WATCH_PREFIX, issue_watch_token
from platform_core.web.dependencies import AUTH_ERRORS, BearerDep, ServicesDep
from platform_core.web.problems import problems
from platform_core.web.security_headers import POLICY
from platform_core.web.services import Services
from stream_api.routes.endpoints import TicketQuery
from stream_api.serving.access import SCOPE, visible_run
from stream_api.serving.credentials import identify

router = APIRouter(prefix="/watch", tags=["watch"])


class WatchedRun(BaseModel):
    """What the page shows of the run itself."""

    run_id: str
    graph: str
    version: int
    owner: str
    status: str
    created_at: str
    started_at: str | None
    ended_at: str | None
    error: dict[str, Any] | None
    outputs: dict[str, Any] | None


class WatchedNode(BaseModel):
    """A node of the picture."""

    id: str
    type: str
    foreach: bool = Field(description="It runs once for each item of a list.")


class WatchedEdge(BaseModel):
    """A line of the picture: from a node's port to a node's port; without ports it only orders."""

    source: str
    target: str
    label: str = Field(description="The ports, for the line's title.")


class WatchSession(BaseModel):
    """All a page needs: `token` follows this run, and only this one, for as long as a login lasts."""

    token: str
    run: WatchedRun
    nodes: list[WatchedNode]
    edges: list[WatchedEdge]


@router.get("/{run_id}", response_class=HTMLResponse, operation_id="watch_run")
def watch_run(run_id: str, ticket: TicketQuery = None) -> Response:
    """The page. It is the same for every run and holds nothing of any; what it shows it asks for, with the ticket."""
    page, policy = _page()
    return HTMLResponse(page, headers={POLICY: policy, "Cache-Control": "no-cache"})


@router.post(
    "/{run_id}/session",
    operation_id="begin_watching",
    responses=problems(*AUTH_ERRORS, RunNotFound, Unavailable),
)
async def begin_watching(
    run_id: str,
    services: ServicesDep,
    bearer: BearerDep,
    response: Response,
    ticket: TicketQuery = None,
) -> WatchSession:
    """Exchange a ticket or bearer token for a watch token, and get the run and its picture."""
    response.headers["Cache-Control"] = "no-store"
    return await run_in_threadpool(_begin, services, run_id, bearer, ticket)


def _begin(services: Services, run_id: str, bearer: str | None, ticket: str | None) -> WatchSession:
    with transaction(services.engine) as connection:
        principal, credentials = identify(
            connection, services.signing_keys, bearer=bearer, ticket=ticket, run_id=run_id
        )
        principal.demand(SCOPE)
        run = visible_run(connection, principal, run_id)
        if credentials.bearer is not None and credentials.bearer.startswith(WATCH_PREFIX):
            token = credentials.bearer
        else:
            ttl = services.settings.watch_ttl
            token = issue_watch_token(connection, services.signing_keys, principal.user_id, run_id, ttl)
        document = json.loads(get_version(connection, run.graph_id, run.version).document)
    nodes = document.get("nodes", [])
    return WatchSession(
        token=token,
        run=WatchedRun(
            **{
                name: getattr(run, name)
                for name in ("run_id", "graph", "version", "owner", "status", "error", "outputs")
            },
            created_at=run.created_at.isoformat(),
            started_at=None if run.started_at is None else run.started_at.isoformat(),
            ended_at=None if run.ended_at is None else run.ended_at.isoformat(),
        ),
        nodes=[WatchedNode(id=node["id"], type=node["type"], foreach="foreach" in node) for node in nodes],
        edges=_edges(document, nodes),
    )


def _edges(document: dict[str, Any], nodes: list[dict[str, Any]]) -> list[WatchedEdge]:
    found = []
    for edge in document.get("edges", []):
        (source, output), (target, port) = (end.split(".", 1) for end in (edge["from"], edge["to"]))
        found.append(WatchedEdge(source=source, target=target, label=f"{output} → {port}"))
    for node in nodes:
        after = node.get("after") or []
        found += [WatchedEdge(source=name, target=node["id"], label="after") for name in after]
    return found


@cache
def _page() -> tuple[str, str]:
    """The page, and a policy that lets run exactly its own script and style and talk only to this server."""
    page = Path(__file__).with_name("watch.html").read_text("utf-8")
    script, style = (_hash(page, tag) for tag in ("script", "style"))
    policy = (
        f"default-src 'none'; script-src '{script}'; style-src '{style}'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def _hash(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found is not None
    return f"sha256-{base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()}"
