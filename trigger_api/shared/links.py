"""Addresses of our resources, as callers reach them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, Request

from platform_core.web.services import services_of


class Links:
    """Builds addresses below the public one."""

    def __init__(self, base: str) -> None:
        self._base = base.rstrip("/")

    def graph(self, graph_id: str) -> dict[str, str]:
        here = f"{self._base}/api/v1/graphs/{graph_id}"
        return {"self": here, "versions": f"{here}/versions", "runs": f"{here}/runs", "triggers": f"{here}/triggers"}

    def version(self, graph_id: str, version: int) -> dict[str, str]:
        here = f"{self._base}/api/v1/graphs/{graph_id}"
        return {"self": f"{here}/versions/{version}", "graph": here}

    def run(self, run_id: str) -> dict[str, str]:
        here = f"{self._base}/api/v1/runs/{run_id}"
        # http becomes ws and https becomes wss.
        return {
            "self": here,
            "events": f"{here}/events",
            "files": f"{here}/files",
            "websocket": f"ws{here.removeprefix('http')}/ws",
            "watch": f"{self._base}/watch/{run_id}",
        }

    def approval(self, run_id: str, node: str) -> str:
        return f"{self._base}/api/v1/runs/{run_id}/waits/{quote(node)}"

    def file(self, owner: str, path: str) -> str:
        return f"{self._base}/api/v1/files/{quote(path)}?owner={quote(owner)}"

    def delivery(self, delivery_id: str) -> str:
        return f"{self._base}/api/v1/deliveries/{delivery_id}"

    def webhook(self, webhook_id: str) -> str:
        return f"{self._base}/hooks/{webhook_id}"


def links_of(request: Request) -> Links:
    """The links of an answer to this request."""
    return Links(services_of(request).settings.public_url or str(request.base_url))


async def _links(request: Request) -> Links:
    return links_of(request)


LinksDep = Annotated[Links, Depends(_links)]
