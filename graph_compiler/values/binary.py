"""Bytes as values: `bytes` in a process, the object `{"$bytes": "<base64>"}` wherever JSON is written."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any

MARK = "$bytes"
"""The one key of the object that stands for bytes; definitions/sandbox/call.py has it too."""


def dumps(value: Any, **options: Any) -> str:
    """The value as strict JSON, its bytes as objects. Raises TypeError and ValueError as `json.dumps`."""
    return json.dumps(value, default=_json_form, allow_nan=False, **options)


def loads(text: str) -> Any:
    """The value that `dumps` wrote. Raises ValueError."""
    return json.loads(text, object_hook=restored) if f'"{MARK}"' in text else json.loads(text)


def as_plain(value: Any) -> Any:
    """The value as plain JSON data, its bytes as objects."""
    return json.loads(dumps(value))


def restored(data: dict[str, Any]) -> Any:
    """Bytes if the object stands for them, else the object. Raises ValueError if what it holds is not base64."""
    return b64decode(data[MARK], validate=True) if stands_for_bytes(data) else data


def stands_for_bytes(data: Mapping[Any, Any]) -> bool:
    """Whether the object has the mark, a text, and nothing else."""
    return len(data) == 1 and isinstance(data.get(MARK), str)


def _json_form(value: Any) -> dict[str, str]:
    if isinstance(value, bytes):
        return {MARK: b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} is not a JSON value")
