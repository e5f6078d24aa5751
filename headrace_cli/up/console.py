"""What `up` prints: by a thread of its own, so that a console that takes nothing never holds up the supervisor.

A terminal that is paused, or a pipe that nobody reads, would else keep it from starting again what has crashed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

MOST = 1000
"""Lines that wait; what comes beyond is left out, and their number is said."""
_LOOK = 0.01


class Console:
    """`write` prints one line, and may block."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._lines: queue.Queue[str] = queue.Queue(MOST)
        self._left_out = 0
        threading.Thread(target=self._print_all, name="console", daemon=True).start()

    def put(self, line: str) -> None:
        """Print the line soon; returns at once."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._left_out += 1

    def drain(self, seconds: float) -> None:
        """Return when all lines are printed, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while self._lines.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(_LOOK)

    def _print_all(self) -> None:
        while True:
            line = self._lines.get()
            left_out, self._left_out = self._left_out, 0
            with suppress(OSError):  # nobody reads any more
                if left_out:
                    self._write(f"({left_out} lines were left out here: the console took none)")
                self._write(line)
            self._lines.task_done()
