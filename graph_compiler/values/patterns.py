"""Regular expressions that users write: matched by RE2, in time that grows with the text and never explodes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2  # type: ignore[import-untyped]  # it has no types

MAX_LENGTH = 5_000
"""Characters of a pattern."""
MAX_PROGRAM = 10_000
"""Instructions of a compiled pattern."""
_ESCAPED = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)
_MEMORY = 1024 * 1024
"""Bytes of one compiled pattern; one that would need more is refused."""


class BadPattern(ValueError):
    """The text is no pattern that RE2 knows; the message says why."""


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text. Raises `BadPattern`."""
    return compiled(pattern).search(text.encode("utf-8", "replace")) is not None


def work_of(pattern: str, text: str) -> int:
    """Instructions that RE2 may look at to match the text, where states are too many to keep. Raises `BadPattern`."""
    return len(text) * int(compiled(pattern).programsize)


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Any:
    """The pattern, ready to search bytes of UTF-8. Raises `BadPattern`."""
    if len(pattern) > MAX_LENGTH:
        raise BadPattern(f"a pattern may have {MAX_LENGTH} characters")
    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        made = re2.compile(_translated(pattern).encode("utf-8", "replace"), options)
    except re2.error as error:
        raise BadPattern(_reason(error)) from None
    if made.programsize > MAX_PROGRAM:
        raise BadPattern(f"it has {made.programsize} instructions; {MAX_PROGRAM} are the limit")
    return made


def _translated(pattern: str) -> str:
    """The pattern with JSON Schema's `\\uXXXX` as RE2 writes it."""
    return _ESCAPED.sub(lambda found: rf"\x{{{found[1]}}}" if found[1] else found[0], pattern)


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return f"{text}; patterns are RE2's, which has no look-around and no back references"
