"""The reference page of the settings: every one with its type, unit, default and meaning."""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from platform_core.settings import Settings

UNITS = {
    "port": "a TCP port",
    "ui_port": "a TCP port",
    "code_server_port": "a TCP port",
    "metrics_port": "a TCP port",
    "session_idle": "seconds",
    "session_ttl": "seconds",
    "token_ttl": "seconds",
    "watch_ttl": "seconds",
    "failed_logins_per_user": "logins",
    "failed_logins_per_network": "logins",
    "max_document_bytes": "bytes",
    "max_body_bytes": "bytes",
    "max_file_bytes": "bytes",
    "delivery_body_bytes": "bytes",
    "max_concurrent_runs": "runs",
    "max_concurrent_runs_per_user": "runs",
    "runs_per_worker": "runs",
    "niceness": "steps of `nice`",
    "finally_seconds": "seconds",
    "suspend_over": "seconds",
    "idle_workers": "processes",
    "tick_retention": "days",
    "audit_retention": "days",
    "max_wait": "seconds",
    "heartbeat": "seconds",
    "streams_per_user": "runs",
    "right_check": "seconds",
    "kubernetes_start_deadline": "seconds",
    "kubernetes_start_patience": "seconds",
    "kubernetes_suspend_over": "seconds",
    "kubernetes_run_deadline": "seconds",
    "kubernetes_run_ttl": "seconds",
}
"""What the number of each numeric setting counts."""
DERIVED = {"home": "`~/.headrace`", "max_concurrent_runs": "4 per processor, at least 8"}
"""Defaults that depend on the machine."""
_WORDS: dict[Any, str] = {
    str: "text",
    SecretStr: "text, kept secret",
    Path: "a path",
    int: "integer",
    float: "number",
    bool: "`true` or `false`",
    dict: "an object of JSON",
    list: "a list of JSON",
}
_HEAD = """\
# Settings

Read from the environment by the process that is started, once, and passed on. `headrace up` decides what is open
(ports, database, addresses) and passes it to its processes.

| variable | default | type | meaning |
|---|---|---|---|
"""


def settings_page() -> str:
    """The page, in Markdown. Raises KeyError for a numeric setting without a unit."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return _HEAD + "\n".join(rows) + "\n"


def _row(name: str, field: FieldInfo) -> str:
    cells = [f"`HEADRACE_{name.upper()}`", _default(name, field), _type(name, field), str(field.description)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(name: str, field: FieldInfo) -> str:
    if name in DERIVED:
        return DERIVED[name]
    value = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _type(name: str, field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return " or ".join(f"`{value}`" for value in get_args(kind))
    word = _WORDS[get_origin(kind) or kind]
    return f"{word}, {UNITS[name]}{_range(field)}" if kind in (int, float) else word


def _range(field: FieldInfo) -> str:
    signs = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}"}
    found = [
        words.format(bound)
        for mark in field.metadata
        for sign, words in signs.items()
        if (bound := getattr(mark, sign, None)) is not None
    ]
    return "".join(f", {words}" for words in found)
