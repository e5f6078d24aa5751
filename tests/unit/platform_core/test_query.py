"""Query parameters against what a route declares."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel

from platform_core.web.problems import install_problems
from platform_core.web.query import MOST_ISSUES, known_query


class Filters(BaseModel):
    level: str | None = None


class OpenRoute(APIRoute):
    takes_any_query = True


def page(limit: Annotated[int, Query(ge=1)] = 50, before: Annotated[str | None, Query(alias="until")] = None) -> int:
    return limit


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(dependencies=[Depends(known_query)])
    install_problems(app)
    routes, webhooks = APIRouter(), APIRouter(route_class=OpenRoute)

    @routes.get("/list")
    async def listed(limit: Annotated[int, Depends(page)], tag: Annotated[list[str] | None, Query()] = None) -> int:
        return limit

    @routes.get("/filtered")
    async def filtered(filters: Annotated[Filters, Query()]) -> str | None:
        return filters.level

    @routes.post("/plain")
    async def plain() -> str:
        return "done"

    @webhooks.get("/hooks")
    async def webhook() -> str:
        return "taken"

    app.include_router(routes)
    app.include_router(webhooks)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    "address",
    ["/list", "/list?limit=2", "/list?limit=2&until=x&tag=a&tag=b", "/filtered?level=info", "/hooks?a=1&a=2", "/plain"],
)
async def test_what_a_route_declares_is_taken(client: httpx.AsyncClient, address: str) -> None:
    method = "POST" if address == "/plain" else "GET"
    assert (await client.request(method, address)).status_code == 200


@pytest.mark.parametrize(
    ("address", "code", "path", "hint"),
    [
        ("/list?limt=2", "unknown_parameter", "/limt", "did you mean `limit`?"),
        ("/list?before=x", "unknown_parameter", "/before", "known: limit, tag, until"),
        ("/list?Limit=2", "unknown_parameter", "/Limit", "did you mean `limit`?"),
        ("/list?=", "unknown_parameter", "/", "known: limit, tag, until"),
        ("/list?a%2Fb~=1", "unknown_parameter", "/a~1b~0", "known: limit, tag, until"),
        ("/list?limit=1&limit=2", "repeated_parameter", "/limit", None),
        ("/filtered?levl=info", "unknown_parameter", "/levl", "did you mean `level`?"),
        ("/plain?dry=1", "unknown_parameter", "/dry", "this address takes none"),
    ],
)
async def test_what_it_does_not_declare_is_refused_with_its_name(
    client: httpx.AsyncClient, address: str, code: str, path: str, hint: str | None
) -> None:
    response = await client.request("POST" if address.startswith("/plain") else "GET", address)
    (issue,) = response.json()["issues"]
    answer = response.status_code, response.json()["code"]
    found = issue["code"], issue["in"], issue["path"], issue.get("hint")
    assert (answer, found) == ((422, "invalid_request"), (code, "query", path, hint))
    assert path in f"/{response.json()['detail'].split('`')[1]}"


async def test_every_fault_of_a_query_is_named_at_once(client: httpx.AsyncClient) -> None:
    issues = (await client.get("/list?limit=0&unti=x&limit2=3")).json()["issues"]
    assert {(issue["code"], issue["path"]) for issue in issues} == {
        ("unknown_parameter", "/unti"),
        ("unknown_parameter", "/limit2"),
        ("greater_than_equal", "/limit"),
    }


async def test_a_query_of_many_unknown_parameters_gets_a_short_answer(client: httpx.AsyncClient) -> None:
    query: Any = {f"{number}{'x' * 200}": "" for number in range(200)}
    response = await client.get("/list", params=query)
    assert response.status_code == 422
    assert len(response.json()["issues"]) == MOST_ISSUES
    assert len(response.content) < 10_000
