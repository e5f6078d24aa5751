"""Where the output of a child goes: a file that is rotated once it is large, and the lines the console should see."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 16 * 1024 * 1024

_ALARM = re.compile(
    r"\b(WARNING|ERROR|CRITICAL|FATAL|PANIC)\b|\[(warning|error|critical)\s*\]|\"level\": ?\"(error|critical)"
)


def is_alarm(line: str) -> bool:
    """Whether a line of output calls for attention, as far as its level word tells."""
    return _ALARM.search(line) is not None


class ChildLog:
    """The log file of one child over all its restarts. Lines may come from several threads."""

    def __init__(self, path: Path, show: Callable[[str], None], *, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._show = show
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = path.open("ab")

    def write(self, line: bytes) -> None:
        """Append one line and hand its text to the console."""
        with self._lock:
            if self._file.tell() > self._max_bytes:
                self._rotate()
            self._file.write(line if line.endswith(b"\n") else line + b"\n")
            self._file.flush()
        self._show(line.decode(errors="replace").rstrip())

    def tail(self, lines: int) -> list[str]:
        """The last lines written, oldest first."""
        with self.path.open("rb") as file:
            file.seek(max(0, self.path.stat().st_size - 64 * 1024))
            return file.read().decode(errors="replace").splitlines()[-lines:]

    def close(self) -> None:
        """Close the file; later lines are not expected."""
        with self._lock:
            self._file.close()

    def _rotate(self) -> None:
        self._file.close()
        self.path.replace(self.path.with_suffix(".log.1"))
        self._file = self.path.open("ab")
