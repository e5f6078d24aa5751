"""A process is killed, a proxy cuts the connection: the client resumes and misses nothing."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from sqlalchemy.engine import Engine

from headrace.client import Client
from headrace.client.wire import Transport
from platform_core.identity.user_store import User
from platform_core.settings import Settings
from tests.integration.stream_api.conftest import Served
from tests.integration.stream_api.runs import append, create_run
from tests.integration.stream_api.test_operation import server_process
from tests.waiting import wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
TRANSPORTS: tuple[Transport, ...] = ("sse", "websocket")
PLAIN = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass {upstream};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_read_timeout 2s;
    }}
  }}
}}
"""


@contextmanager
def following(url: str, token: str, run_id: str, transport: Transport) -> Iterator[list[int]]:
    """The seqs a client sees, as they come; the client has ended behind this."""
    seen: list[int] = []

    def follow() -> None:
        with Client(url, token) as client:
            for event in client.follow(run_id, transport=transport):
                seen.append(event["seq"])

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    yield seen
    thread.join(60)
    assert not thread.is_alive()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_next_process_goes_on_where_a_killed_one_stood(
    settings: Settings,
    engine: Engine,
    owner: User,
    token: str,
    connection: psycopg.Connection,
    transport: Transport,
) -> None:
    run_id = create_run(engine, owner)
    with server_process(settings) as (first, url, listening), following(url, token, run_id, transport) as seen:
        append(connection, run_id, count=4)
        wait_until(lambda: len(seen) == 5, "the client has what there is")
        first.kill()
        append(connection, run_id, count=4)
        with server_process(settings, listening):
            append(connection, run_id, "run.succeeded")
            wait_until(lambda: len(seen) == 10, "the client has all")
    assert seen == list(range(1, 11))


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed; Debian's package is `nginx-light`")
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_proxy_that_cuts_idle_connections_costs_nothing(
    serve: Callable[..., Served],
    engine: Engine,
    owner: User,
    token: str,
    connection: psycopg.Connection,
    tmp_path: Path,
    transport: Transport,
) -> None:
    """nginx as Debian has it, with a time limit below the heartbeat and its buffering switched on."""
    run_id = create_run(engine, owner)
    served = serve(heartbeat=60)
    with proxied(served.url, tmp_path) as url, following(url, token, run_id, transport) as seen:
        append(connection, run_id, count=2)
        wait_until(lambda: len(seen) == 3, "events pass the proxy at once")
        wait_until(lambda: served.streams.hub.followers == 0, "the proxy has cut the connection")
        append(connection, run_id, count=2)
        append(connection, run_id, "run.succeeded")
    assert seen == list(range(1, 7))


@contextmanager
def proxied(upstream: str, folder: Path) -> Iterator[str]:
    """The address of an nginx in front of the upstream."""
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "nginx.conf"
    configuration.write_text(PLAIN.format(folder=folder, port=port, upstream=upstream))
    process = subprocess.Popen([NGINX, "-c", str(configuration), "-p", str(folder)], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/healthz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "nginx answers")
        yield url
    finally:
        process.terminate()
        process.wait(20)
