"""Starts a broker's real server, as Debian packages it, for the tests of `publish`."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until


def program(name: str) -> str:
    """The server's path; the test is skipped, saying so, where it is not installed."""
    found = shutil.which(name, path=f"/usr/lib/rabbitmq/bin:{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install {name})")
    return found


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


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
