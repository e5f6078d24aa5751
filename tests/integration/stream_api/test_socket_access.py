"""Who may follow over a socket, for how long, and how many at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from platform_core.database.engine import transaction
from platform_core.identity.keys import KeyRing
from platform_core.identity.ticket_store import issue_ticket
from platform_core.identity.user_store import User, change_user
from stream_api.routes import endpoints
from stream_api.serving.access import admit
from tests.integration.stream_api.conftest import Serve
from tests.integration.stream_api.runs import create_owner
from tests.integration.stream_api.socket_client import open_socket
from tests.tokens import bearer_token


def events(messages: list[dict[str, object]]) -> list[object]:
    return [message["seq"] for message in messages if "op" not in message]


def test_strangers_do_not_follow(serve: Serve, run_id: str, engine: Engine, keys: KeyRing) -> None:
    url = serve().url
    with open_socket(
        url, f"runs/{run_id}/ws", bearer_token(engine, keys, create_owner(engine, "eve").id, 600)
    ) as socket:
        assert socket.rest()[1:] == (4404, "run_not_found")
    with open_socket(url, f"runs/{run_id}/ws", "nonsense") as socket:
        assert socket.rest()[1:] == (4401, "unauthorized")
    with open_socket(url, "ws", bearer_token(engine, keys, "00000000-0000-0000-0000-000000000000", 600)) as socket:
        assert socket.rest()[1:] == (4401, "unauthorized")


def test_a_browser_may_say_who_it_is_by_ticket_or_by_its_first_message(
    serve: Serve, token: str, run_id: str, engine: Engine, owner: User
) -> None:
    url = serve().url
    with transaction(engine) as transacted:
        ticket = issue_ticket(transacted, owner.id, run_id)
    with open_socket(url, f"runs/{run_id}/ws", ticket=ticket) as socket:
        assert events(socket.hear_until(seq=1)) == [1]
    with open_socket(url, f"runs/{run_id}/ws", ticket=ticket) as socket:
        assert socket.rest()[1] == 4401
    with open_socket(url, f"runs/{run_id}/ws") as socket:
        socket.say(op="authenticate", token=token)
        assert events(socket.hear_until(seq=1)) == [1]
    with open_socket(url, "ws") as socket:
        socket.say(op="subscribe", id="a", run=run_id)
        assert socket.rest()[1] == 4400


@pytest.mark.parametrize("change", [{"disabled": True}, {"password": "battery staple"}])
@pytest.mark.parametrize("path", ["ws", "runs/RUN/ws"])
def test_a_withdrawn_right_ends_the_socket(
    serve: Serve, token: str, run_id: str, engine: Engine, owner: User, path: str, change: dict[str, Any]
) -> None:
    with open_socket(serve(right_check=0.05).url, path.replace("RUN", run_id), token) as socket:
        socket.hear()
        if path == "ws":
            socket.say(op="subscribe", id="a", run=run_id)
        socket.hear_until(seq=1)
        with transaction(engine) as transacted:
            change_user(transacted, owner.name, **change)
        assert socket.rest()[1] == 4401


def test_a_new_password_ends_a_socket_that_began_with_a_ticket(
    serve: Serve, run_id: str, engine: Engine, owner: User
) -> None:
    with transaction(engine) as transacted:
        ticket = issue_ticket(transacted, owner.id, run_id)
    with open_socket(serve(right_check=0.05).url, f"runs/{run_id}/ws", ticket=ticket) as socket:
        socket.hear_until(seq=1)
        with transaction(engine) as transacted:
            change_user(transacted, owner.name, password="battery staple")
        assert socket.rest()[1] == 4401


def test_a_token_can_be_renewed_before_it_expires(serve: Serve, owner: User, engine: Engine, keys: KeyRing) -> None:
    short = bearer_token(engine, keys, owner.id, 0)  # a clock may be five seconds off, so that it has those left
    url = serve(right_check=0.05).url
    with open_socket(url, "ws", short) as renewed, open_socket(url, "ws", short) as expired:
        renewed.hear()
        renewed.say(op="authenticate", token=bearer_token(engine, keys, owner.id, 600))
        renewed.hear()
        assert expired.rest()[1:] == (4401, "token_expired")
        renewed.say(op="ping")
        assert renewed.hear()["op"] == "pong"


def test_a_user_has_a_limit_of_streams(serve: Serve, token: str, run_id: str, engine: Engine, owner: User) -> None:
    served = serve(streams_per_user=2)
    with open_socket(served.url, "ws", token) as socket, served.client(token).open(run_id) as blocks:
        next(blocks)
        socket.hear()
        socket.say(op="subscribe", id="a", run=run_id)
        socket.hear_until(seq=1)
        socket.say(op="subscribe", id="b", run=run_id)
        assert socket.hear()["code"] == "too_many_streams"
        address = f"{served.url}/api/v1/runs/{run_id}/events"
        response = served.http.get(address, headers={"Authorization": f"Bearer {token}"})
        assert (response.status_code, response.json()["code"]) == (429, "too_many_streams")
        with open_socket(served.url, f"runs/{run_id}/ws", token) as third:
            assert third.rest()[1] == 4429


def test_streams_that_are_opened_at_the_same_moment_do_not_exceed_the_limit(
    serve: Serve, token: str, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are admitted before the first of them is counted."""
    served = serve(streams_per_user=3)
    together = threading.Barrier(8, timeout=20)

    def admit_together(*arguments: Any, **more: Any) -> Any:
        found = admit(*arguments, **more)
        together.wait()
        return found

    monkeypatch.setattr(endpoints, "admit", admit_together)

    def open_one(_: int) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        with served.http.stream("GET", f"{served.url}/api/v1/runs/{run_id}/events", headers=headers) as response:
            together.wait()  # all have their answer before the first leaves
            return response.status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(open_one, range(8)))
    assert sorted(statuses) == [200] * 3 + [429] * 5
