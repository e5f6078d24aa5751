"""What a database's values become in JSON: exact, never rounded, refused where JSON cannot say them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from platform_core.sql.target import SqlFailed

_AS_TEXT = (UUID, Decimal, IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)


def plain_row(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """A row as a JSON object. Raises `SqlFailed` bad_value naming the column."""
    return {name: plain(value, name) for name, value in zip(names, row, strict=True)}


def plain(value: Any, column: str) -> Any:
    """Dates and times as ISO 8601, decimals as text, intervals as seconds, NaN refused; bytes stay."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise SqlFailed("bad_value", f"the column {column!r} has {value}, which is not a JSON number")
        return value
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, _AS_TEXT):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item, column) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, column) for item in value]
    raise SqlFailed("bad_value", f"the column {column!r} has a {type(value).__name__}; cast it to text")


def weight_of(value: Any) -> int:
    """About the bytes of the value as JSON."""
    if isinstance(value, str | bytes):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + weight_of(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(1 + weight_of(item) for item in value)
    return 8
