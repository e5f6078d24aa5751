"""A PostgreSQL server of a test's own, which may be stopped and killed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_core.database.postgres import STOP_SIGNAL, EmbeddedPostgres
from tests.waiting import wait_until


@contextmanager
def prepared() -> Iterator[EmbeddedPostgres]:
    """A server that does not run yet, in a home of its own.

    Not in pytest's temporary folders: each pytest that starts closes those to other users, and so to the server's.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-tests-") as folder:
        server = EmbeddedPostgres(Path(folder))
        server.prepare()
        yield server


@contextmanager
def running(server: EmbeddedPostgres) -> Iterator[subprocess.Popen[bytes]]:
    """The server, ready; at the end it stops without waiting for its clients."""
    with (server.home / "postgres.log").open("ab") as log:
        process = subprocess.Popen(server.command(), stdout=log, stderr=log, **server.options())
    try:
        wait_until(server.is_ready, "PostgreSQL accepts connections")
        yield process
    finally:
        process.send_signal(STOP_SIGNAL)
        process.wait(30)
