"""Pages of lists and their opaque cursors: the position after the last item, in the order of the list."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from platform_core.errors import BadCursor

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items and, if there are more, the cursor that continues after them."""

    items: list[T]
    next_cursor: str | None


def encode_cursor(*position: str | int) -> str:
    """An opaque, URL-safe cursor for the position (the sort key of the last item)."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, *shape: type) -> list[Any]:
    """The position in a cursor, which must have the given types. Raises `BadCursor`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        raise BadCursor("The cursor is not one of ours; take it from next_cursor of the page before.") from None
    if not isinstance(position, list) or [type(part) for part in position] != list(shape):
        raise BadCursor("The cursor belongs to another list; take it from next_cursor of the page before.")
    if not all(_can_be_stored(part) for part in position):
        raise BadCursor("The cursor belongs to another list; take it from next_cursor of the page before.")
    return position


def _can_be_stored(part: str | int) -> bool:
    """PostgreSQL's text holds neither NUL nor half a surrogate pair, so nothing in a list has them."""
    return isinstance(part, int) or not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in part)
