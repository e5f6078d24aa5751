"""What a run pod's process writes to stdout and stderr, copied line by line into the run's events as it comes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

LONGEST = 8_000
"""Characters of a line; a longer one comes in parts."""
_STREAMS = {1: "stdout", 2: "stderr"}
_JOIN_SECONDS = 2.0


class RunOutput:
    """From construction to `close`: `on_line(stream, text)` is called in a thread of each stream.

    The lines go to where they would have gone, too. An exception of `on_line` ends the copying, not the writing.
    """

    def __init__(self, on_line: Callable[[str, str], None]) -> None:
        self._on_line = on_line
        self._originals = {fd: os.dup(fd) for fd in _STREAMS}
        self._threads = [self._divert(fd, name) for fd, name in _STREAMS.items()]

    def close(self) -> None:
        """Let the streams go where they went before; returns when what was written is passed on."""
        for fd, original in self._originals.items():
            os.dup2(original, fd)
        for thread in self._threads:
            # A child that was left behind may hold the pipe open.
            thread.join(_JOIN_SECONDS)
        for original in self._originals.values():
            os.close(original)

    def _divert(self, fd: int, name: str) -> threading.Thread:
        reader, writer = os.pipe()
        os.dup2(writer, fd)
        os.close(writer)
        thread = threading.Thread(target=self._copy, args=(reader, os.dup(self._originals[fd]), name), daemon=True)
        thread.start()
        return thread

    def _copy(self, reader: int, original: int, name: str) -> None:
        rest, is_told = b"", True
        with os.fdopen(reader, "rb", buffering=0) as source, os.fdopen(original, "wb", buffering=0) as target:
            while portion := source.read(65536):
                with suppress(OSError):
                    target.write(portion)
                *lines, rest = (rest + portion).split(b"\n")
                if len(rest) > LONGEST:
                    lines, rest = [*lines, rest], b""
                is_told = is_told and all(self._tell(name, line) for line in lines)
            if rest and is_told:
                self._tell(name, rest)

    def _tell(self, name: str, line: bytes) -> bool:
        text = line.decode(errors="replace").rstrip("\r")
        try:
            for start in range(0, len(text), LONGEST):
                self._on_line(name, text[start : start + LONGEST])
        except Exception:  # the database is gone: the run ends for that, and its output is still in the pod's log
            return False
        return True
