"""The shared edge of both applications, without a database: limits, problems, request ids."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel

from platform_core.errors import BadCursor, BadRequest, HeadraceError, InvalidGraph, Unavailable
from platform_core.operation.metrics import Metrics
from platform_core.web.body_limit import BodyLimit
from platform_core.web.problems import install_problems, problems
from platform_core.web.request_context import RequestContext
from platform_core.web.security_headers import DEFAULTS, POLICY, SecurityHeaders


class Item(BaseModel):
    name: str


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def app(metrics: Metrics) -> FastAPI:
    app = FastAPI()

    @app.post("/raw")
    async def raw(request: Request) -> int:
        return len(await request.body())

    @app.post("/item")
    async def item(item: Item) -> str:
        return item.name

    @app.get("/recorded")
    async def recorded(request: Request) -> None:
        request.state.is_recorded = True

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("a secret")

    @app.get("/own-policy")
    async def own_policy() -> Response:
        return Response(
            "<p>", headers={POLICY: "sandbox", "X-Content-Type-Options": "sniff", "Referrer-Policy": "origin"}
        )

    @app.get("/away")
    async def away() -> None:
        raise Unavailable("The database is away.")

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"some"
            raise RuntimeError("a secret")

        return StreamingResponse(chunks())

    install_problems(app)
    app.add_middleware(BodyLimit, limit=100)
    app.add_middleware(RequestContext, name="mill", metrics=metrics)
    app.add_middleware(SecurityHeaders)
    return app


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mill.test") as client:
        yield client


@pytest.mark.parametrize("path", ["/recorded", "/nothing", "/broken", "/away", "/item"])
async def test_every_answer_says_that_it_is_no_page(client: httpx.AsyncClient, path: str) -> None:
    headers = (await client.get(path)).headers
    found = {name: headers[name] for name in (*DEFAULTS, "X-Content-Type-Options")}
    assert found == {**DEFAULTS, "X-Content-Type-Options": "nosniff"}


async def test_an_answer_may_have_a_policy_of_its_own_but_is_never_sniffed(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/own-policy")).headers
    assert headers.get_list(POLICY) == ["sandbox"]
    assert headers.get_list("X-Content-Type-Options") == ["nosniff"]
    assert headers.get_list("Referrer-Policy") == ["origin"]


async def test_the_page_of_the_documentation_may_run_its_own_scripts(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/docs")).headers[POLICY]
    assert "script-src 'self' 'unsafe-inline'" in policy
    assert "frame-ancestors 'none'" in policy


async def _chunks(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 10):
        yield b"x" * 10


@pytest.mark.parametrize("path", ["/raw", "/item"])
async def test_a_body_beyond_the_limit_is_refused_announced_or_not(client: httpx.AsyncClient, path: str) -> None:
    json_body = {"Content-Type": "application/json"}
    announced = await client.post(path, content=b"x" * 101, headers=json_body)
    chunked = await client.post(path, content=_chunks(110), headers=json_body)
    assert [(answer.status_code, answer.json()["code"]) for answer in (announced, chunked)] == [(413, "too_large")] * 2


async def test_a_body_at_the_limit_passes(client: httpx.AsyncClient) -> None:
    assert (await client.post("/raw", content=b"x" * 100)).json() == 100
    assert (await client.post("/raw", content=_chunks(100))).json() == 100


async def test_what_breaks_unforeseen_tells_only_its_request_id(
    client: httpx.AsyncClient, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await client.get("/broken", headers={"X-Request-ID": "r-1"})
    assert answer.status_code == 500
    assert answer.json() == {
        "type": "urn:headrace:error:internal_error",
        "title": "Internal error",
        "status": 500,
        "code": "internal_error",
        "detail": "The server failed; look for the request id in its log.",
        "request_id": "r-1",
    }
    assert answer.headers["x-request-id"] == "r-1"
    assert "RuntimeError: a secret" in caplog.text
    labels = {"app": "mill", "method": "GET", "route": "/broken", "status": "500"}
    assert metrics.registry.get_sample_value("headrace_http_request_seconds_count", labels) == 1


async def test_each_request_has_a_line_of_information_unless_a_record_is_kept_of_it(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "platform_core.web.request_context")
    await client.post("/raw", content=b"x")
    await client.get("/recorded")
    lines = [(vars(record)["route"], record.levelname) for record in caplog.records if record.message == "request"]
    assert lines == [("/raw", "INFO"), ("/recorded", "DEBUG")]


async def test_a_stream_that_breaks_is_cut_and_never_ended_as_if_whole(client: httpx.AsyncClient) -> None:
    with pytest.raises(RuntimeError):
        await client.get("/stream")


async def test_a_dependency_that_is_away_says_when_to_come_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/away")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


async def test_issues_of_a_malformed_request_are_pointers(client: httpx.AsyncClient) -> None:
    answer = await client.post("/item", json={"name": 5})
    assert answer.json()["issues"] == [
        {"code": "string_type", "in": "body", "path": "/name", "message": "Input should be a valid string"}
    ]


def test_errors_of_one_status_are_one_documented_response() -> None:
    documented = problems(BadRequest, BadCursor, InvalidGraph)
    codes: dict[Any, Any] = {
        status: response["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
        for status, response in documented.items()
    }
    assert codes == {400: ["bad_request", "bad_cursor"], 422: ["invalid_graph"]}


def test_an_error_without_a_status_is_a_loud_500() -> None:
    class Forgotten(HeadraceError):
        pass

    assert (Forgotten.status, Forgotten.code) == (500, "internal_error")
