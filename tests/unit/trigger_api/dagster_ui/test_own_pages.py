"""Dagster's UI obeys its own pages and programs, and no page of another origin."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from platform_core.errors import HeadraceError
from platform_core.settings import Settings
from trigger_api.dagster_ui.own_pages import OwnPages

HERE = "localhost:8000"
SETTINGS = Settings(host="127.0.0.1", public_url="https://headrace.example", ui_names="Dagster.example, d.example")


def _refusal(kind: str, method: str | None, path: str, headers: dict[str, str]) -> int | None:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": kind, "path": path, "headers": raw} | ({} if method is None else {"method": method})
    try:
        OwnPages(SETTINGS).demand(HTTPConnection(scope))
    except HeadraceError as error:
        return error.status
    return None


def _status(method: str, path: str = "/dagster/graphql", **headers: str) -> int:
    return _refusal("http", method, path, headers) or 200


def _connects(**headers: str) -> bool:
    return _refusal("websocket", None, "/dagster/graphql", headers) is None


@pytest.mark.parametrize(
    "host",
    [
        HERE,
        "127.0.0.1:3000",
        "[::1]:3000",
        "10.0.0.7:3000",
        "LOCALHOST",
        "d.example",
        "Dagster.Example:80",
        "headrace.example",
    ],
)
def test_a_program_and_a_page_of_the_same_origin_may_change_things(host: str) -> None:
    assert _status("POST", host=host) == 200
    assert _status("POST", host=host, origin=f"http://{host.lower()}", sec_fetch_site="same-origin") == 200
    assert _connects(host=host, origin=f"http://{host}")
    assert _connects(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io:3000",
        "",
        "[::1",
        "@",
        "a b",
        "localhost:80;script-src *",
        "x@localhost",
    ],
)
def test_a_host_that_is_not_named_is_refused(host: str) -> None:
    assert _status("GET", "/dagster/server_info", host=host) == 403
    assert _status("POST", host=host, origin=f"http://{host}") == 403
    assert not _connects(host=host, origin=f"http://{host}")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:5000", "http://127.0.0.1:8000", "http://[::1", ""]
)
def test_a_page_of_another_origin_changes_nothing(origin: str) -> None:
    assert _status("POST", host=HERE, origin=origin) == 403
    assert _status("POST", "/dagster/report_asset_materialization/x", host=HERE, origin=origin) == 403
    assert not _connects(host=HERE, origin=origin)


@pytest.mark.parametrize("host", ["127.0.0.1:3000", "headrace.example:3000", "localhost:3000"])
def test_another_port_of_the_same_host_is_another_origin(host: str) -> None:
    assert _status("POST", host=host, origin=f"http://{host.replace('3000', '5000')}") == 403


def test_a_request_without_an_origin_from_another_site_is_refused() -> None:
    assert _status("POST", host=HERE, sec_fetch_site="cross-site") == 403
    assert _status("GET", "/dagster/runs", host=HERE, sec_fetch_site="cross-site") == 200


def test_a_proxy_may_change_the_host() -> None:
    assert _status("POST", host="10.0.0.7:3000", origin="https://dagster.example") == 200


def test_nothing_is_executed_by_get() -> None:
    assert _status("GET", host=HERE) == 405
    assert _status("GET", "/dagster/graphql/", host=HERE, accept="image/webp,*/*") == 405
    assert _status("HEAD", host=HERE) == 405
    assert _status("GET", host=HERE, accept="text/html") == 200
