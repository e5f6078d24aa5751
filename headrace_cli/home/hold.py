"""The hold on a home: one `headrace up` at a time, enforced by a file lock that ends with its process."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Hold the home for this process. Raises `CommandError` naming the holder if another process has it."""
    path = home / "up.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode().strip() or "of unknown id"
            raise CommandError(
                f"{home} is held by another `headrace up`, process {holder}.",
                hint="Use that one (its address is in up.json there), stop it, or give this one another --home.",
                exit_code=ExitCode.HELD,
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)
