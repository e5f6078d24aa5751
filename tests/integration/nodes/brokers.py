"""Starts real servers for the tests of nodes, as Debian or PyPI packages them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until


def program(name: str) -> str:
    """The server's path; the test is skipped, saying so, where it is not installed."""
    places = [str(Path(sys.executable).parent), "/usr/lib/rabbitmq/bin", os.environ["PATH"], "/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        pytest.skip(f"{name} is not installed; .ci/run says how")
    return found


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Different ports that nobody uses."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def serving(command: list[str], port: int, folder: Path, env: dict[str, str] | None = None) -> Iterator[None]:
    """The server, until it accepts connections on its port, and ended afterwards."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env={**os.environ, **(env or {})}, start_new_session=True
        )
    try:
        wait_until(lambda: process.poll() is not None or _answers(port), f"{command[0]} answers", 60.0)
        assert process.poll() is None, (folder / "log").read_text()
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
