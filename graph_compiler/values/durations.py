"""Durations as people write them (`500ms`, `30s`, `1h`, or a number of seconds) to seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 3650 * UNITS["d"]
PATTERN = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d)", re.ASCII)


def parse_duration(value: Any) -> float:
    """Seconds of `value`; raises ValueError saying what a duration looks like."""
    seconds: float | None = None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and (match := PATTERN.fullmatch(value.strip())):
        seconds = float(match[1]) * UNITS[match[2]]
    if seconds is None or not 0 <= seconds <= LONGEST:
        raise ValueError("a duration is a number of seconds or text like 500ms, 30s, 2m, 1h, 1d, up to 3650d")
    return seconds


def _validated(value: Any) -> float:
    try:
        return parse_duration(value)
    except ValueError as error:
        raise PydanticCustomError("bad_duration", "{reason}", {"reason": str(error)}) from None


Duration = Annotated[
    float,
    BeforeValidator(_validated),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^\s*{PATTERN.pattern}\s*$"},
                {"type": "number", "minimum": 0, "maximum": LONGEST},
            ],
            "description": "A number of seconds, or text like 500ms, 30s, 2m, 1h, 1d.",
        }
    ),
]
"""A pydantic field type: accepts what `parse_duration` does and holds seconds."""
