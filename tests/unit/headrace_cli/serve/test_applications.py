"""Both applications on one port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.types import Message

from headrace_cli.serve.applications import UiPort, combine


def application(name: str, lives: list[str]) -> FastAPI:
    """An application that answers its name and the path it sees, whatever is asked."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        lives.append(f"{name} starts")
        yield
        lives.append(f"{name} ends")

    app = FastAPI(lifespan=lifespan, docs_url=None, openapi_url=None, redoc_url=None)

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    def answer(path: str) -> str:
        return f"{name} /{path}"

    @app.websocket("/{path:path}")
    async def refuse(socket: WebSocket) -> None:
        await socket.close(code=4000, reason=name)

    return app


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/api/v1/runs/abc/events", "stream /api/v1/runs/abc/events"),
        ("/watch/abc", "stream /watch/abc"),
        ("/stream/readyz", "stream /readyz"),
        ("/readyz", "trigger /readyz"),
        ("/api/v1/runs/abc", "trigger /api/v1/runs/abc"),
        ("/api/v1/runs/abc/outputs", "trigger /api/v1/runs/abc/outputs"),
        ("/api/v1/runs/a/b/events", "trigger /api/v1/runs/a/b/events"),
        ("/hooks/x", "trigger /hooks/x"),
        ("/streams", "trigger /streams"),
        ("/", "trigger /"),
    ],
)
async def test_path_decides_which_application_answers(path: str, answer: str) -> None:
    app = combine(application("trigger", []), application("stream", []))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://headrace.test") as client:
        assert (await client.get(path)).json() == answer


@pytest.mark.parametrize("path", ["/api/v1/runs/abc/ws", "/api/v1/ws"])
async def test_websockets_belong_to_the_stream_application(path: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
    await combine(application("trigger", []), application("stream", []))(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 4000, "reason": "stream"}]


async def test_both_lifespans_are_run() -> None:
    lives: list[str] = []
    app = combine(application("trigger", lives), application("stream", lives))
    async with app.router.lifespan_context(app):
        assert lives == ["trigger starts", "stream starts"]
    assert lives == ["trigger starts", "stream starts", "stream ends", "trigger ends"]


@pytest.mark.parametrize(
    ("port", "path", "status"),
    [
        (8000, "/api/v1/graphs", 200),
        (3000, "/dagster/runs", 200),
        (3000, "/api/v1/graphs", 404),
        (3000, "/", 307),
    ],
)
async def test_the_port_of_dagsters_ui_is_for_it_alone(port: int, path: str, status: int) -> None:
    transport = httpx.ASGITransport(UiPort(application("trigger", []), 3000))
    async with httpx.AsyncClient(transport=transport) as client:
        assert (await client.get(f"http://localhost:{port}{path}")).status_code == status
