"""How the application is operated: readiness, metrics, a graceful end."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from sqlalchemy.engine import Engine

from platform_core.identity.user_store import User
from platform_core.settings import Settings
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import create_run
from tests.integration.stream_api.sse_client import SseClient

SERVER = """
import socket, sys, pathlib
from uvicorn.config import LOGGING_CONFIG
from platform_core.database.engine import build_engine
from platform_core.identity.keys import KeyRing
from platform_core.settings import Settings
from platform_core.web.server import Server, server_config
from stream_api.app import create_app

settings = Settings(home=pathlib.Path(sys.argv[1]), database_url=sys.argv[2])
app = create_app(settings, engine=build_engine(sys.argv[2]), keys=KeyRing.load_or_create(settings))
server = Server(server_config(app, log_config=LOGGING_CONFIG), drain=app.state.streams.drain)
server.run(sockets=[socket.socket(fileno=int(sys.argv[3]))])
"""


def test_a_served_application_is_ready_and_counts_its_streams(
    serve: Callable[..., Served], engine: Engine, owner: User, token: str
) -> None:
    run_id = create_run(engine, owner)
    served = serve()
    assert served.http.get(f"{served.url}/healthz").json() == {"status": "ok"}
    assert served.http.get(f"{served.url}/readyz").json() == {"database": "ok", "listener": "ok"}
    with served.client(token).open(run_id, "1") as blocks:
        next(blocks)
        assert "headrace_stream_followers 1.0" in served.http.get(f"{served.url}/metrics").text


def test_a_listener_that_cannot_connect_is_not_ready(serve: Callable[..., Served]) -> None:
    served = serve()
    # Ending its connection would be healed before anybody could look.
    served.streams.listener.is_connected = False
    response = served.http.get(f"{served.url}/readyz")
    assert (response.status_code, response.json()["away"]) == (503, ["listener"])


def test_the_stream_is_described_in_openapi(serve: Callable[..., Served]) -> None:
    served = serve()
    operation = served.http.get(f"{served.url}/openapi.json").json()["paths"]["/api/v1/runs/{run_id}/events"]["get"]
    assert set(operation["responses"]) == {"200", "204", "400", "401", "403", "404", "422", "429", "503"}
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "run_id",
        "cursor",
        "follow",
        "ticket",
        "last-event-id",
        "types",
        "nodes",
        "level",
    }


@contextmanager
def server_process(
    settings: Settings, inherited: socket.socket | None = None
) -> Iterator[tuple[subprocess.Popen[str], str, socket.socket]]:
    """A process of its own that serves the application; its address and its socket, which may be handed on."""
    with inherited.dup() if inherited is not None else socket.create_server(("127.0.0.1", 0)) as listening:
        arguments = [str(settings.home), str(settings.database_url), str(listening.fileno())]
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *arguments],
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process, f"http://127.0.0.1:{listening.getsockname()[1]}", listening
        finally:
            process.kill()
            process.communicate()


def test_a_terminated_server_ends_its_streams_cleanly_and_at_once(
    settings: Settings, engine: Engine, owner: User, token: str
) -> None:
    run_id = create_run(engine, owner)
    with server_process(settings) as (process, url, _), httpx.Client(timeout=30) as http:
        with SseClient(url, token, http).open(run_id) as blocks:
            next(blocks)
            assert next(blocks).id == "1"
            process.send_signal(signal.SIGTERM)
            (farewell,) = blocks
        _, log = process.communicate(timeout=10)
    assert (farewell.id, farewell.event) == (None, "going_away")
    assert farewell.data is not None
    assert (farewell.data["reason"], farewell.data["cursor"]) == ("stopping", "1")
    assert process.returncode in {0, -signal.SIGTERM}
    assert "Finished server process" in log
    assert "ASGI" not in log
    assert "Traceback" not in log
