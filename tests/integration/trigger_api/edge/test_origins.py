"""Where a request comes from: what proxies say is believed of those that are trusted, and of nobody else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from sqlalchemy.engine import Engine

from platform_core.identity.keys import KeyRing
from platform_core.identity.user_store import create_user
from platform_core.settings import Settings
from platform_core.web.server import edge_options
from tests.integration.trigger_api.conftest import API, NO_TLS, PASSWORD, document
from tests.serving import served
from tests.tokens import bearer_token
from trigger_api.app import create_app

Reach = Callable[..., httpx.Client]


@pytest.fixture
def reach(settings: Settings, engine: Engine, keys: KeyRing) -> Iterator[Reach]:
    """A client of an application that trusts these proxies, as an administrator."""
    with ExitStack() as stack:
        with engine.begin() as connection:
            user = create_user(connection, "root", PASSWORD, "admin")

        def reached(trusted: str | None, **more: Any) -> httpx.Client:
            chosen = Settings(**{**settings.model_dump(exclude_unset=True), "trusted_proxies": trusted, **more})
            app: FastAPI = create_app(chosen, engine=engine, keys=keys)
            address = stack.enter_context(served(app, **edge_options(chosen, None)))
            bearer = {"Authorization": f"Bearer {bearer_token(engine, keys, user.id, 60)}"}
            return stack.enter_context(httpx.Client(base_url=address, headers=bearer, verify=NO_TLS))

        yield reached


@pytest.mark.parametrize(
    ("trusted", "said", "counts"),
    [
        (None, "203.0.113.9", "127.0.0.1"),
        ("10.0.0.0/8", "203.0.113.9", "127.0.0.1"),
        ("127.0.0.0/8", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.9"),
        ("127.0.0.1, 10.0.0.0/8", "198.51.100.7, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        ("127.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("127.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
    ],
)
def test_the_rightmost_address_that_is_no_trusted_proxy_counts(
    reach: Reach, trusted: str | None, said: str, counts: str
) -> None:
    client = reach(trusted)
    client.put(f"{API}/secrets/oak", json={"value": "x"}, headers={"X-Forwarded-For": said}).raise_for_status()
    [row] = client.get(f"{API}/audit").json()["items"]
    assert row["address"] == counts


def test_logins_are_counted_by_the_address_that_a_trusted_proxy_reports(reach: Reach) -> None:
    client = reach("127.0.0.1", failed_logins_per_network=2)

    def code(address: str) -> int:
        wrong = {"username": "nobody", "password": "guess"}
        return client.post(f"{API}/auth/token", data=wrong, headers={"X-Forwarded-For": address}).status_code

    assert [code("203.0.113.9") for _ in range(3)] == [401, 401, 429]
    assert code("spoofed, 203.0.113.9") == 429
    assert code("203.0.113.10") == 401


def test_links_and_transport_are_those_that_the_proxy_serves(reach: Reach) -> None:
    encrypted = {"X-Forwarded-Proto": "https"}
    believed, other = reach("127.0.0.1", public_url=None), reach(None, public_url=None)
    for client, scheme in ((believed, "https"), (other, "http")):
        answer = client.put(f"{API}/graphs/mill", json=document(), headers=encrypted).raise_for_status()
        assert answer.json()["links"]["self"].startswith(f"{scheme}://")
        assert ("strict-transport-security" in answer.headers) == (scheme == "https")


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "proxy.internal", "*", "127.0.0.1,", "10.0.0.0/40"])
def test_what_is_no_address_and_no_network_is_refused_at_start(wrong: str) -> None:
    with pytest.raises(ValidationError, match="trusted_proxies"):
        Settings(trusted_proxies=wrong)
