"""Listening sockets and their addresses."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from headrace_cli.terminal.errors import CommandError
from headrace_cli.up.endpoint import listen, listen_locally, local_url


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


def test_a_local_socket_is_in_a_folder_that_nobody_else_may_enter(tmp_path: Path) -> None:
    path = tmp_path / "run" / "ui.sock"
    listen_locally(path).close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    listen_locally(path).close()  # over what a killed process has left
    path.parent.chmod(0o755)
    with pytest.raises(CommandError, match="Others may enter the folder"):
        listen_locally(path)
