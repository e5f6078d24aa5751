"""The child's side of `import headrace`: what the code publishes while it runs, written as frames.

Standard library only: it runs in a process forked from the warm interpreter.
"""

from __future__ import annotations

import json
import os
import struct
import threading
from typing import Any

PUBLISHED = {"progress": b"P", "emit": b"V", "log": b"L"}
"""Frame type of each kind of thing that code publishes."""

MAX_PUBLISHED = 256 * 1024
HEAD = struct.Struct(">cI")


class Publisher:
    """Writes frames to the worker, whole ones from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()

    def publish(self, kind: str, content: dict[str, Any]) -> None:
        """Write one thing; returns when the worker has room for it. Raises ValueError when it is too large."""
        body = json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
        if len(body) > MAX_PUBLISHED:
            raise ValueError(f"{len(body)} bytes of JSON; at most {MAX_PUBLISHED} can be shown at once")
        self.write(PUBLISHED[kind], body)

    def write(self, kind: bytes, body: bytes) -> None:
        """Write one frame."""
        rest = memoryview(HEAD.pack(kind, len(body)) + body)
        with self._lock:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
