"""Values as the journal keeps them: JSON of at most 32 MiB, in the database or, from 64 KiB on, as a file."""

from __future__ import annotations

from typing import Any

from graph_compiler.values.binary import compact
from graph_compiler.values.errors import NodeError

LARGEST_VALUE = 32 * 1024 * 1024
LARGEST_INLINE = 64 * 1024
"""Bytes of JSON up to which a value is kept in the database; a larger one lies under HEADRACE_VALUES_URL."""
LARGEST_SHOWN = 16 * 1024
"""Bytes of JSON up to which an event shows a value."""


def kept(value: Any, what: str) -> str:
    """The value's JSON. Raises `NodeError` (value_too_large); `what` is what the message calls it."""
    return checked(compact(value), what)


def checked(text: str, what: str) -> str:
    """The JSON of a value. Raises as `kept`."""
    if len(text) > LARGEST_VALUE:
        raise NodeError("value_too_large", too_large(what, len(text)), retryable=False)
    return text


def too_large(what: str, size: int) -> str:
    """The message about a value that is not kept."""
    return f"{what}: {size} bytes of JSON, more than the {LARGEST_VALUE} that are kept"
