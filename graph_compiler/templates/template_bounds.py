"""What one template may build, and the checks that are made before it is built."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError

MAX_TEXT = 2_000_000
"""Characters or items that one operation may make."""
MAX_STEPS = 1_000_000
"""Loop steps of one rendering."""
MAX_BITS = 4_096
"""Bits of an integer that `*` or `**` may make."""
MAX_WIDTH = 10_000
"""Of a format, an indentation or a batch."""

_FORMAT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")
steps: ContextVar[int] = ContextVar("steps")


class Unbounded(SecurityError):
    """A template tried to build more than the limits allow."""


def weigh(value: Any) -> int:
    """About how many characters the value has as text; raises `Unbounded` beyond the limit."""
    weight, pending = 0, [value]
    while pending:
        part = pending.pop()
        kind = type(part)
        if kind is dict:
            pending.extend(part)
            pending.extend(part.values())
        elif kind is list or kind is tuple:
            pending.extend(part)
        elif isinstance(part, str | bytes):
            weight += len(part)
        weight += 4
        if weight > MAX_TEXT:
            raise Unbounded(f"more than {MAX_TEXT} characters")
    return weight


def spend() -> None:
    """Take one loop step from this rendering's budget."""
    left = steps.get(MAX_STEPS) - 1
    if left < 0:
        raise Unbounded(f"more than {MAX_STEPS} loop steps")
    steps.set(left)


def check_growth(operator: str, left: Any, right: Any) -> None:
    """Refuse `**`, `*` or `+` whose result would be too large. Raises `Unbounded`."""
    if operator == "**":
        if isinstance(left, int) and isinstance(right, int):
            check_size(left.bit_length() * max(right, 0), MAX_BITS)
    elif isinstance(left, int) and isinstance(right, int):
        check_size(left.bit_length() + right.bit_length(), MAX_BITS)
    elif operator == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | bytes | list | tuple) and isinstance(times, int):
                check_size(len(sequence) * max(times, 0), MAX_TEXT)
    elif isinstance(left, str | bytes | list | tuple) and isinstance(right, str | bytes | list | tuple):
        check_size(len(left) + len(right), MAX_TEXT)


def check_size(size: int, limit: int) -> None:
    """Raises `Unbounded` beyond the limit."""
    if size > limit:
        raise Unbounded(f"the result is too large: {size}; {limit} is the limit")


def check_format(text: Any) -> None:
    """Refuse a `%` format that pads without bounds. Raises `SecurityError`, `Unbounded`."""
    if isinstance(text, bytes):
        raise SecurityError("bytes are no format")
    for width in (part for spec in _FORMAT.findall(text) for part in spec) if isinstance(text, str) else ():
        if width == "*" or len(width) > 9 or (width and int(width) > MAX_WIDTH):
            raise Unbounded(f"a format wider than {MAX_WIDTH}, or with `*`")


def weighing(text_filter: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, refusing arguments that weigh too much."""

    @wraps(text_filter)
    def weighed(*args: Any, **kwargs: Any) -> Any:
        weigh([args, kwargs])
        return text_filter(*args, **kwargs)

    return weighed


def bounding(sized_filter: Callable[..., Any]) -> Callable[..., Any]:
    """The filter, refusing widths and counts that are too large."""

    @wraps(sized_filter)
    def bounded(value: Any, *args: Any, **kwargs: Any) -> Any:
        weigh([args, kwargs])
        check_format(value)
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, int):
                check_size(abs(argument), MAX_WIDTH if sized_filter.__name__ != "do_round" else 100)
        return sized_filter(value, *args, **kwargs)

    return bounded
