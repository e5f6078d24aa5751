"""What every route has in common: problems, request ids, health, metrics, and a database that is away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from sqlalchemy.engine import Engine

from platform_core.database import schema
from platform_core.database.engine import build_engine
from platform_core.errors import SchemaTooNew, SchemaTooOld
from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from tests.integration.trigger_api.conftest import API, assert_problem, document
from tests.serving import served
from tests.tokens import bearer_token
from trigger_api.app import create_app


def test_unknown_paths_and_methods_are_problems(anonymous: httpx.Client) -> None:
    assert_problem(anonymous.get("/nowhere"), 404, "not_found")
    refused = anonymous.delete(f"{API}/graphs")
    assert_problem(refused, 405, "method_not_allowed")
    assert refused.headers["allow"] == "GET, POST"


def test_a_request_id_is_kept_if_it_is_decent_and_else_made(anonymous: httpx.Client) -> None:
    assert anonymous.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    for indecent in ("", "x" * 65, "a b", "\xff"):
        made = anonymous.get("/healthz", headers={b"X-Request-ID": indecent.encode("latin-1")}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", made)


def test_what_breaks_unforeseen_is_a_500_that_tells_nothing(
    ada: httpx.Client, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE headrace.secrets"))
    broken = ada.get(f"{API}/secrets")
    problem = assert_problem(broken, 500, "internal_error")
    assert "secrets" not in broken.text
    assert any(
        problem["request_id"] in record.getMessage() or "unexpected" in record.getMessage() for record in caplog.records
    )


def test_a_healthy_service_says_so_and_is_ready(anonymous: httpx.Client) -> None:
    assert anonymous.get("/healthz").json() == {"status": "ok"}
    assert anonymous.get("/readyz").json() == {"database": "ok"}


def test_metrics_name_routes_and_not_addresses(anonymous: httpx.Client, ada: httpx.Client) -> None:
    ada.get(f"{API}/graphs/mill")
    metrics = anonymous.get("/metrics").text
    labels = 'app="trigger_api",method="GET",route="/api/v1/graphs/{graph}",status="404"'
    assert f"headrace_http_request_seconds_count{{{labels}}} 1.0" in metrics


@pytest.fixture
def adrift(settings: Settings, engine: Engine, keys: KeyRing, database_url: str) -> Iterator[str]:
    """An application whose database was taken away after it had started."""
    away = build_engine(database_url.replace("test_", "gone_"))
    app = create_app(settings, engine=away, keys=keys)
    # Without the lifespan, because the application is to be one that had started before.
    with served(app, lifespan="off") as address:
        yield address
    away.dispose()


def test_with_the_database_away_nothing_is_acknowledged(adrift: str, engine: Engine, keys: KeyRing) -> None:
    requests = [
        ("GET", f"{API}/graphs"),
        ("POST", f"{API}/graphs"),
        ("POST", f"{API}/graphs/mill/runs"),
        ("POST", "/hooks/abc"),
        ("GET", "/readyz"),
    ]
    bearer = {"Authorization": f"Bearer {bearer_token(engine, keys, '0', 60)}"}
    with httpx.Client(base_url=adrift, headers=bearer) as client:
        for method, path in requests:
            refused = client.request(method, path, json={} if method == "POST" else None)
            assert_problem(refused, 503, "unavailable")
            assert refused.headers["retry-after"] == "1"
        assert client.get("/healthz").status_code == 200


def test_a_lost_connection_is_a_503_and_the_next_request_works(ada: httpx.Client, engine: Engine) -> None:
    ada.post(f"{API}/graphs", json=document())
    end_others = sa.text(
        "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database()"
    )
    with engine.connect() as connection:
        connection.execute(end_others)
    launched = ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}})
    assert launched.status_code == 202


def test_a_commit_that_fails_is_not_acknowledged(ada: httpx.Client, engine: Engine) -> None:
    """The answer waits for the commit: here the transaction's own connection is lost at its end.

    A launch that asks for tickets is a transaction; any other one is committed by its statement.
    """
    ada.post(f"{API}/graphs", json=document())

    def lose(connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("COMMIT", None, Exception("server closed the connection unexpectedly"))

    sa.event.listen(engine, "commit", lose)
    try:
        refused = [
            ada.post(f"{API}/graphs/mill/runs", json={"params": {"water": 1}, "live_monitoring": True}),
            ada.put(f"{API}/secrets/gh_webhook", json={"value": "x"}),
        ]
    finally:
        sa.event.remove(engine, "commit", lose)
    for answer in refused:
        assert_problem(answer, 503, "unavailable")
    assert ada.get(f"{API}/runs").json()["items"] == ada.get(f"{API}/secrets").json()["items"] == []


def test_the_application_refuses_a_database_of_another_schema(
    settings: Settings, engine: Engine, keys: KeyRing, create_database: Callable[[str | None], str]
) -> None:
    empty = build_engine(create_database(None))
    with pytest.raises(SchemaTooOld):
        _start(create_app(settings, engine=empty, keys=keys))
    empty.dispose()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE headrace.alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match=f"9999.*{schema.head()}"):
        _start(create_app(settings, engine=engine, keys=keys))


def _start(app: FastAPI) -> None:
    async def start() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(start())
