"""What the policy of Dagster's pages names."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from trigger_api.dagster_ui.headers import policy_for


def _sources(host: str, public_url: str | None, directive: str) -> list[str]:
    connection = HTTPConnection({"type": "http", "headers": [(b"host", host.encode())]})
    directives = [part.split() for part in policy_for(connection, public_url).split(";")]
    return next(sources for name, *sources in directives if name == directive)


@pytest.mark.parametrize("directive", ["script-src", "connect-src", "worker-src", "style-src", "img-src"])
def test_pages_reach_nothing_of_our_origin_but_dagsters_ui(directive: str) -> None:
    for source in _sources("localhost:8000", "https://headrace.example", directive):
        is_place = source.endswith("//localhost:8000/dagster/") or source.endswith("//headrace.example/dagster/")
        assert is_place or source in ("'unsafe-inline'", "data:", "blob:")


def test_sockets_are_of_dagsters_ui() -> None:
    assert "ws://localhost:8000/dagster/" in _sources("localhost:8000", None, "connect-src")


def test_at_an_ipv6_address_which_no_policy_can_name_it_is_the_origin() -> None:
    assert _sources("[::1]:8000", None, "connect-src") == ["'self'"]
