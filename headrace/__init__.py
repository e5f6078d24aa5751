"""What code nodes call while they run: progress, partial outputs and log records, seen live by who follows the run.

`import headrace` works in every code node. Outside of a run the functions only check their arguments, so that a
node's code can be tried at a desk. Standard library only: the interpreter of code nodes loads this file by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Literal

__all__ = ["emit", "log", "progress"]

Level = Literal["debug", "info", "warning", "error"]
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
    """Show a part of the result before there is a result: a `node.output` event with `partial`. `value` is JSON.

    Raises TypeError or ValueError for what is not JSON.
    """
    json.dumps(value, allow_nan=False)
    _publish("emit", {"value": value})


def log(message: str, level: Level = "info", **fields: Any) -> None:
    """A log record with fields of JSON. Raises ValueError for another level, TypeError for what is not JSON."""
    if level not in LEVELS:
        raise ValueError(f"a level is one of {', '.join(LEVELS)}, not {level!r}")
    json.dumps(fields, allow_nan=False)
    _publish("log", {"message": str(message), "level": level, "fields": fields})
