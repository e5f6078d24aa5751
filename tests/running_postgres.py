"""A PostgreSQL server of a test's own, which may be stopped and killed."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from platform_core.postgres import STOP_SIGNAL, EmbeddedPostgres
from tests.waiting import wait_until


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
