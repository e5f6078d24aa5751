"""What one rendering may build and do: checked and charged before it is done.

Everything that takes longer with larger arguments spends from one budget by their size: filters, tests, methods,
comparisons, slices and the steps of loops. The unit is a value looked at, or 32 characters of a text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sized
from contextvars import ContextVar
from functools import wraps
from typing import Any

from jinja2.exceptions import SecurityError

MAX_TEXT = 2_000_000
"""Characters or items that one operation may make."""
MAX_WORK = 4_000_000
"""Units of work of one rendering: under a second on a slow processor."""
STEP = 6
"""Units of a step of a loop, and of anything else that is done once."""
_CHARACTERS = 32
"""Of a text that are handled as fast as one value is."""
MAX_BITS = 4_096
"""Bits of an integer that `*` or `**` may make."""
MAX_WIDTH = 10_000
"""Of a format, an indentation or a batch."""

_FORMAT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(\*|\d*)(?:\.(\*|\d*))?")
_LAZY = frozenset([range, type({}.keys()), type({}.values()), type({}.items())])
"""Types whose items need not be there yet."""
work: ContextVar[int] = ContextVar("work")
"""What is left of this rendering's budget."""


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
        elif kind in _LAZY:
            weight += 4 * len(part)
        weight += 4
        if weight > MAX_TEXT:
            raise Unbounded(f"more than {MAX_TEXT} characters")
    return weight


def spend(units: int = STEP) -> None:
    """Take so much from this rendering's budget. Raises `Unbounded`."""
    left = work.get(MAX_WORK) - units
    if left < 0:
        raise Unbounded(f"more than {MAX_WORK} steps of work")
    work.set(left)


def charge(*values: Any) -> None:
    """Spend for looking at the whole of the values, at every depth. Raises `Unbounded`."""
    left = work.get(MAX_WORK) - STEP
    pending = list(values)
    while pending:
        part = pending.pop()
        kind = type(part)
        if kind is dict:
            pending.extend(part)
            pending.extend(part.values())
        elif kind is list or kind is tuple:
            pending.extend(part)
        elif isinstance(part, str | bytes):
            left -= len(part) // _CHARACTERS
        elif kind in _LAZY:
            left -= len(part)
        left -= 1
        if left < 0:
            raise Unbounded(f"more than {MAX_WORK} steps of work")
    work.set(left)


def charge_writing(value: Any) -> None:
    """Spend for writing the value as JSON, which takes several times as long as to look at it. Raises `Unbounded`."""
    spend(weigh(value))


def charge_items(value: Any) -> None:
    """Spend for looking once at each item of a value, and not into it. Raises `Unbounded`."""
    if isinstance(value, str | bytes):
        spend(STEP + len(value) // _CHARACTERS)
    else:
        spend(STEP + (len(value) if isinstance(value, Sized) else 0))


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


def charging(function: Callable[..., Any], spend_for: Callable[..., None] = charge) -> Callable[..., Any]:
    """The filter or test, spending for its arguments before it is called."""
    # What Jinja hands over first (its context, its environment) is none of the template's.
    given = 0 if getattr(function, "jinja_pass_arg", None) is None else 1

    @wraps(function)
    def charged(*args: Any, **kwargs: Any) -> Any:
        spend_for(*args[given:], *kwargs.values())
        return function(*args, **kwargs)

    return charged


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
