"""The session that the watch page runs on, without a browser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy.engine import Engine

from platform_core.database.engine import transaction
from platform_core.database.tables import runs
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.graphs.graph_store import save_graph
from platform_core.identity.keys import KeyRing
from platform_core.identity.ticket_store import issue_ticket
from platform_core.identity.user_store import User, change_user
from platform_core.runs.run_store import NewRun, accept_run
from platform_core.settings import Settings
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_owner, create_run
from tests.integration.stream_api.socket_client import open_socket
from tests.tokens import bearer_token

Serve = Callable[..., Served]
DOCUMENT = """{"nodes": [{"id": "a", "type": "transform"}, {"id": "b", "type": "python", "foreach": "{{ inputs.x }}"},
{"id": "c", "type": "delay", "after": ["b"]}], "edges": [{"from": "a.value", "to": "b.x"}]}"""


@pytest.fixture
def run_id(engine: Engine, owner: User) -> str:
    with transaction(engine) as connection:
        options: dict[str, Any] = {"document": DOCUMENT, "sha256": "1" * 64, "created_by": owner.id}
        graph, _ = save_graph(
            connection, owner_id=owner.id, name="drawn", if_match=None, must_not_exist=False, **options
        )
        run, _ = accept_run(connection, NewRun(graph.id, graph.version, owner.id, {}, TriggerKind.MANUAL))
        return run.run_id


def begin(served: Served, run_id: str, bearer: str | None = None, ticket: str | None = None) -> httpx.Response:
    return served.http.post(
        f"{served.url}/watch/{run_id}/session",
        params={} if ticket is None else {"ticket": ticket},
        headers={} if bearer is None else {"Authorization": f"Bearer {bearer}"},
    )


def test_a_ticket_becomes_a_token_for_this_run_and_its_picture(
    serve: Serve, engine: Engine, owner: User, run_id: str
) -> None:
    served = serve()
    with transaction(engine) as connection:
        ticket = issue_ticket(connection, owner.id, run_id)
    response = begin(served, run_id, ticket=ticket)
    session = response.json()
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store")
    assert session["nodes"] == [
        {"id": "a", "type": "transform", "foreach": False},
        {"id": "b", "type": "python", "foreach": True},
        {"id": "c", "type": "delay", "foreach": False},
    ]
    assert session["edges"] == [
        {"source": "a", "target": "b", "label": "value → x"},
        {"source": "b", "target": "c", "label": "after"},
    ]
    assert (session["run"]["run_id"], session["run"]["graph"], session["run"]["status"]) == (run_id, "drawn", "QUEUED")
    assert begin(served, run_id, ticket=ticket).status_code == 401
    again = begin(served, run_id, bearer=session["token"]).json()
    assert again["token"] == session["token"]


def test_a_watch_token_follows_its_run_and_nothing_else(
    serve: Serve, engine: Engine, owner: User, token: str, run_id: str, connection: psycopg.Connection
) -> None:
    served = serve()
    other = create_run(engine, owner)
    watching = begin(served, run_id, bearer=token).json()["token"]
    append(connection, run_id, "run.succeeded")
    assert [event["seq"] for event in served.client(watching).events(run_id)] == [1, 2]
    with open_socket(served.url, f"runs/{run_id}/ws") as socket:
        socket.say(op="authenticate", token=watching)
        assert socket.rest()[1] == 1000
    headers = {"Authorization": f"Bearer {watching}"}
    refused = served.http.get(f"{served.url}/api/v1/runs/{other}/events", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert begin(served, other, bearer=watching).status_code == 401
    with open_socket(served.url, "ws", watching) as socket:
        socket.hear()
        for target in ({"mine": True}, {"graph": "drawn"}, {"run": other}):
            socket.say(op="subscribe", id="a", **target)
            assert socket.hear()["code"] == "forbidden"
        socket.say(op="cancel", run=run_id)
        assert socket.hear()["code"] == "forbidden"


@pytest.mark.parametrize("who", ["nobody", "stranger", "withdrawn"])
def test_who_may_not_see_the_run_gets_no_session(
    serve: Serve, engine: Engine, owner: User, token: str, keys: KeyRing, run_id: str, who: str
) -> None:
    served = serve()
    if who == "nobody":
        response, status, code = begin(served, run_id), 401, "unauthorized"
    elif who == "stranger":
        stranger = bearer_token(engine, keys, create_owner(engine, "eve").id, 600)
        response, status, code = begin(served, run_id, bearer=stranger), 404, "run_not_found"
    else:
        watching = begin(served, run_id, bearer=token).json()["token"]
        with transaction(engine) as connection:
            change_user(connection, owner.name, disabled=True)
        response, status, code = begin(served, run_id, bearer=watching), 401, "unauthorized"
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_the_page_holds_nothing_and_may_only_talk_to_its_server(serve: Serve) -> None:
    served = serve()
    page = served.http.get(f"{served.url}/watch/any-run")
    policy = page.headers["content-security-policy"]
    assert (page.status_code, "any-run" in page.text) == (200, False)
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy


def test_a_watch_token_opens_the_files_that_its_run_names_and_no_others(
    serve: Serve, engine: Engine, owner: User, run_id: str, keys: KeyRing, settings: Settings
) -> None:
    folder = settings.home / "files" / owner.name
    (folder / "a b").mkdir(parents=True)
    (folder / "a b" / "page.html").write_text("<script>alert(1)</script>")
    (folder / "other.txt").write_text("not the run's")
    (folder.parent / "bob").mkdir()
    (folder.parent / "bob" / "secret.txt").write_text("bob's")
    values = [{"$file": f"files:{path}", "size": 1} for path in ("a b/page.html", "../bob/secret.txt", "gone.txt")]
    with transaction(engine) as connection:
        connection.execute(runs.update().where(runs.c.run_id == run_id).values(params={"files": values}))
    served = serve()
    token = begin(served, run_id, bearer=bearer_token(engine, keys, owner.id, 60)).json()["token"]

    def get(path: str, bearer: str | None = token, run: str = run_id) -> httpx.Response:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        return served.http.get(f"{served.url}/watch/{run}/files/{path}", headers=headers)

    found = get("a%20b/page.html")
    assert (found.status_code, found.text) == (200, "<script>alert(1)</script>")
    assert found.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert found.headers["content-disposition"] == "attachment; filename*=UTF-8''page.html"
    for path in ("other.txt", "..%2Fbob%2Fsecret.txt", "gone.txt", "a%20b"):
        assert (get(path).status_code, get(path).json()["code"]) == (404, "file_not_found")
    assert get("a%20b/page.html", bearer=None).status_code == 401
    other = create_run(engine, owner)
    assert get("a%20b/page.html", run=other).status_code == 401
