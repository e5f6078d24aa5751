"""Ends a service when the supervisor that started it is gone, however it went.

The supervisor keeps the write end of a pipe and every child inherits the read end: when the last writer dies,
even by SIGKILL, the read end reports end of file.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

VARIABLE = "HEADRACE_LIFELINE_FD"
"""Environment variable that names the inherited read end."""

GRACE = 8.0
"""Seconds a service gets to end by itself after its supervisor has gone."""


def watch_lifeline(fd: int, on_end: Callable[[], None]) -> threading.Thread:
    """Call `on_end` once, from a background thread, when no writer of the pipe behind `fd` is left."""

    def wait() -> None:
        try:
            while os.read(fd, 1):
                pass
        except OSError:
            return
        on_end()

    thread = threading.Thread(target=wait, name="lifeline", daemon=True)
    thread.start()
    return thread


def end_this_process() -> None:
    """Ask this process to stop; after `GRACE` seconds kill what is left of its process group if it leads one."""
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(GRACE)
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def hold_lifeline(fd: str | None) -> None:
    """Watch the pipe that the value of `HEADRACE_LIFELINE_FD` names; without a value nobody supervises."""
    if fd is not None:
        watch_lifeline(int(fd), end_this_process)
