"""What code nodes call while they run: progress, partial outputs and log records, seen live by who follows the run.

`import headrace` works in every code node. Outside of a run the functions only check their arguments, so that a
node's code can be tried at a desk. Standard library only: the interpreter of code nodes loads this file by itself.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any, Literal

__all__ = ["emit", "log", "progress"]

Level = Literal["debug", "info", "warning", "error"]
MAX_DEPTH = 90  # a value may have 100 levels, and an event puts some around it
LEVELS = ("debug", "info", "warning", "error")


def _nowhere(kind: str, content: dict[str, Any]) -> None:
    """Outside of a run nobody listens."""


_publish: Callable[[str, dict[str, Any]], None] = _nowhere


def progress(fraction: float | None, message: str = "") -> None:
    """Say how far the node is: `fraction` from 0 to 1, None if nobody can know. Raises ValueError outside of that."""
    if fraction is not None:
        fraction = float(fraction)
        if not (math.isfinite(fraction) and 0 <= fraction <= 1):
            raise ValueError(f"a fraction is from 0 to 1, not {fraction!r}")
    _publish("progress", {"fraction": fraction, "message": str(message)})


def emit(value: Any) -> None:
    """Show a part of the result before there is a result: a `node.output` event with `partial`.

    `value` is what `main` may return: JSON and bytes, which events show as `{"$bytes": "<base64>"}`. Raises TypeError
    or ValueError for anything else, naming the place in it.
    """
    _publish("emit", {"value": _plain(value, "value")})


def log(message: str, level: Level = "info", **fields: Any) -> None:
    """A log record with fields as `emit` takes them. Raises ValueError for another level, TypeError as `emit`."""
    if level not in LEVELS:
        raise ValueError(f"a level is one of {', '.join(LEVELS)}, not {level!r}")
    _publish("log", {"message": str(message), "level": level, "fields": _plain(fields, "fields")})


def _plain(value: Any, place: str, depth: int = 0) -> Any:
    """The value as JSON data, nothing coerced; definitions/sandbox/call.py says the same of results."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{place}: an integer beyond 64 bits")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place}: {value!r} is not a JSON number")
        return value
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if depth == MAX_DEPTH:
        raise ValueError(f"{place}: nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {_key(key, place): _plain(item, f"{place}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{place}[{index}]", depth + 1) for index, item in enumerate(value)]
    raise TypeError(f"{place}: {type(value).__name__} is not a JSON value")


def _key(key: Any, place: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{place}: the key {key!r} is not text")
    return key
