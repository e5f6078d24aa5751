"""What comes back from users' code, made safe: streams of bytes become bounded lines, frames become one outcome.

Everything here treats its input as hostile: the code can write anything to its descriptors.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from definitions.sandbox.call import ERROR, RESULT
from definitions.sandbox.publisher import HEAD as _HEAD
from definitions.sandbox.publisher import MAX_PUBLISHED
from definitions.shared.masking import MaskedLines, Masking
from graph_compiler.values.binary import dumps
from graph_compiler.values.errors import NodeError
from graph_compiler.values.texts import shortened

Stream = Literal["stdout", "stderr"]
OnLine = Callable[[Stream, str], None]
OnPublish = Callable[[str, dict[str, Any]], None]
"""Gets what the code publishes: its kind (progress, emit, log, truncated) and its content, checked."""

MAX_LINE = 16 * 1024
MAX_LINES = 10_000
MAX_ERROR_BYTES = 64 * 1024
CHILD_KINDS = frozenset({"code_error", "code_exit", "code_memory", "code_output", "network_unavailable", "bad_value"})
LEVELS = frozenset({"debug", "info", "warning", "error"})


class Lines:
    """Splits one stream into lines of text for `on_line`, without the secrets that `masking` knows.

    A line of more than 16 Ki characters comes in pieces. What exceeds `max_bytes` or 10,000 lines is dropped, and
    `on_cut` gets the limits, or a last line names them. NUL, and bytes that are not UTF-8, become U+FFFD.
    """

    def __init__(
        self,
        stream: Stream,
        on_line: OnLine,
        max_bytes: int,
        on_cut: Callable[[Stream, str], None] | None = None,
        masking: Masking | None = None,
    ) -> None:
        self._stream = stream
        self._on_cut = on_cut
        self._on_line = on_line
        self._limits = f"{MAX_LINES} lines or {max_bytes} bytes"
        self._bytes_left = max_bytes
        self._lines_left = MAX_LINES
        known = masking or Masking()
        self._masked = MaskedLines(lambda: known, MAX_LINE)

    def feed(self, data: bytes) -> None:
        """Take what the code wrote and pass on each line that it completes."""
        if self._lines_left < 0:
            return
        kept = data[: self._bytes_left]
        self._bytes_left -= len(kept)
        self._pass_on(self._masked.feed(kept))
        if len(kept) < len(data):
            self._pass_on(self._masked.finish(is_cut=True))
            self._drop_the_rest()

    def finish(self) -> None:
        """Pass on a last line that has no end."""
        self._pass_on(self._masked.finish())

    def _pass_on(self, lines: list[str]) -> None:
        for line in lines:
            if self._lines_left == 0:
                self._drop_the_rest()
            if self._lines_left < 0:
                return
            self._lines_left -= 1
            self._on_line(self._stream, line.replace("\0", "\ufffd"))

    def _drop_the_rest(self) -> None:
        if self._lines_left >= 0:
            self._lines_left = -1
            if self._on_cut is not None:
                self._on_cut(self._stream, self._limits)
            else:
                self._on_line(self._stream, f"[{self._stream} is cut here: a call may write {self._limits}]")


class Frames:
    """Reads the frames of one call: a type of one byte, a length of four, then JSON. The first outcome counts.

    What the code publishes before it goes to `on_publish`; what is not of the form is dropped.
    """

    def __init__(self, max_bytes: int, on_publish: OnPublish | None = None) -> None:
        self._on_publish = on_publish
        self._max_bytes = max(max_bytes, MAX_ERROR_BYTES)
        self._buffer = bytearray()
        self._outcome: tuple[bytes, bytes] | None = None

    @property
    def complete(self) -> bool:
        """Whether the call's outcome has come."""
        return self._outcome is not None

    def feed(self, data: bytes) -> None:
        """Take what the code's process wrote; raises `NodeError` when it is more than a call may answer."""
        if self.complete:
            return
        self._buffer += data
        while not self.complete and len(self._buffer) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer)
            if length > self._max_bytes:
                raise NodeError("code_output", "The code returned more than it may.", retryable=False)
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            if kind in (RESULT, ERROR):
                self._outcome = kind, bytes(self._buffer[_HEAD.size : end])
            elif self._on_publish is not None and length <= MAX_PUBLISHED:
                published = _published(kind, bytes(self._buffer[_HEAD.size : end]))
                if published is not None:
                    self._on_publish(*published)
            del self._buffer[:end]

    def value(self) -> Any:
        """The value `main` returned; raises the `NodeError` its process described."""
        assert self._outcome is not None, "asked before it is complete"
        kind, body = self._outcome
        try:
            content = json.loads(body)
            error = None if kind == RESULT else _node_error(content)
        except (ArithmeticError, ValueError, RecursionError, KeyError, TypeError):
            raise NodeError("code_exit", "The code wrote into its own result; it cannot be read.") from None
        if error is not None:
            raise error
        return content


def _published(kind: bytes, body: bytes) -> tuple[str, dict[str, Any]] | None:
    """What the code published, checked: the code may have written the frame itself."""
    try:
        content = json.loads(body)
        match kind:
            case b"P":
                fraction = content["fraction"]
                shown = None if fraction is None else min(1.0, max(0.0, float(fraction)))
                return "progress", {"fraction": shown, "message": _clean(content["message"])}
            case b"V":
                dumps(content["value"])
                return "emit", {"value": content["value"]}
            case b"L" if content["level"] in LEVELS and isinstance(content["fields"], dict):
                dumps(content["fields"])
                message = _clean(content["message"])
                return "log", {"message": message, "level": content["level"], "fields": content["fields"]}
    except (ArithmeticError, ValueError, RecursionError, KeyError, TypeError):
        return None  # a number may be too large for a float
    return None


def _clean(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError(text)
    return shortened(text, MAX_LINE).replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")


def _node_error(content: dict[str, Any]) -> NodeError:
    kind = content["kind"] if content["kind"] in CHILD_KINDS else "code_error"
    return NodeError(kind, str(content["message"]), retryable=bool(content["retryable"]))
