"""Listening sockets and their addresses."""

from __future__ import annotations

import socket

import pytest

from headrace_cli.terminal.errors import CommandError
from headrace_cli.up.endpoint import listen, local_url


def test_taken_port_is_a_clear_refusal_that_names_the_option() -> None:
    with listen("127.0.0.1", 0, "--port") as first:
        port = first.getsockname()[1]
        with pytest.raises(CommandError) as refusal:
            listen("127.0.0.1", port, "--ui-port")
    assert refusal.value.message == f"Cannot listen on 127.0.0.1:{port}: the port is in use."
    assert refusal.value.hint == "Choose another with --ui-port; --ui-port 0 takes a free one."


def test_connections_wait_while_nobody_accepts() -> None:
    with listen("127.0.0.1", 0, "--port") as endpoint, socket.create_connection(endpoint.getsockname(), timeout=5):
        accepted, _ = endpoint.accept()
        accepted.close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("example.test", "http://example.test:80"),
    ],
)
def test_local_url_is_reachable_from_this_machine(host: str, url: str) -> None:
    assert local_url(host, 80) == url
