"""Params of a run from the command line: `-p name=value`, `-p name=@file` and a whole file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from headrace_cli.documents.sources import read_text
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.issue_lines import issue_line

_TYPES: dict[type, set[str]] = {
    bool: {"boolean"},
    int: {"integer", "number"},
    float: {"number"},
    str: {"string"},
    list: {"array"},
    dict: {"object"},
    type(None): {"null"},
}


def collect(assignments: Iterable[str], file: Path | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The params that a file and assignments give together; an assignment wins.

    `schema` is the graph's params schema. Raises `CommandError` for what cannot be read.
    """
    params = {} if file is None else _object(file)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise CommandError(
                f"-p {assignment}: expected name=value.", hint="As in: -p limit=5 -p commits=@commits.json"
            )
        wanted = schema.get("properties", {}).get(name)
        params[name] = value_of(text, _types(wanted))
    return params


def take_files(assignments: Iterable[str], schema: Mapping[str, Any]) -> tuple[list[str], dict[str, Path]]:
    """The assignments that are values, and the files of those `name=@path` that the schema wants as files or bytes."""
    values: list[str] = []
    files: dict[str, Path] = {}
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        wanted = schema.get("properties", {}).get(name)
        is_file = isinstance(wanted, Mapping) and wanted.get("format") in ("file", "bytes")
        if is_file and text.startswith("@") and not text.startswith("@@"):
            files[name] = Path(text[1:])
        else:
            values.append(assignment)
    return values, files


def value_of(text: str, types: set[str]) -> Any:
    """What the text of an assignment means where the schema allows `types` (empty: any).

    `@path` stands for the content of a file and `@@` for a literal `@`. Text that is JSON of an allowed type is that
    JSON value; any other text is a string. Where strings are allowed, text is never unquoted.
    """
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@"):
        text = read_text(Path(text[1:]))
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text
    if "string" in types and (isinstance(value, str) or not _TYPES[type(value)] & types):
        return text
    return value


def _types(schema: Any) -> set[str]:
    if not isinstance(schema, Mapping):
        return set()
    types = schema.get("type", [])
    return {types} if isinstance(types, str) else set(types)


def _object(path: Path) -> dict[str, Any]:
    from graph_compiler.language.loading import load

    loaded = load(read_text(path))
    if loaded.issues:
        issue = loaded.issues[0]
        raise CommandError(
            issue_line(str(path), replace(issue, hint=None).as_dict()),
            hint=issue.hint or "Params are an object in JSON or YAML.",
        )
    if not isinstance(loaded.data, dict):
        raise CommandError(f"{path} must hold an object: the params by name.", hint='As in: {"limit": 5}')
    return dict(loaded.data)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
