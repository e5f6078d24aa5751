"""`headrace run --batch`: many runs from a file of params, a thousand by each request."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace_cli.documents.sources import read_text
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

_FORM = "Write a JSON array of objects, or one object per line: the params of one run by name."
MOST = 1000
"""Runs in one request."""


@dataclass(frozen=True)
class Row:
    """The params of one run and where in the file they are."""

    place: str
    params: Mapping[str, Any]


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, `-` is stdin: a JSON array of objects, or one object per line. Raises `CommandError`."""
    text = read_text(path)
    if text.lstrip().startswith("["):
        values = _parsed(text, str(path))
        rows = [Row(f"{path}[{index}]", value) for index, value in enumerate(values)]
    else:
        lines = [(f"{path}:{number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        rows = [Row(place, _parsed(line, place)) for place, line in lines]
    for row in rows:
        if not isinstance(row.params, dict):
            raise CommandError(f"{row.place} is not an object.", hint=_FORM)
    if not rows:
        raise CommandError(f"{path} holds no runs.", hint=_FORM)
    return rows


def launch_rows(
    client: Client,
    graph: str,
    rows: Sequence[Row],
    common: Mapping[str, Any],
    version: int | None,
    key: str,
    as_json: bool,
) -> ExitCode:
    """Start a run for each row, whose params win over the `common` ones; REFUSED if some did not fit.

    Prints the ids of the runs, and to stderr what does not fit. Each portion is all known before the next one is sent.
    """
    total: dict[str, Any] = {"accepted": 0, "repeated": 0, "refused": 0, "runs": []}
    for start in range(0, len(rows), MOST):
        portion = rows[start : start + MOST]
        answer = _send(client, graph, portion, common, version, key if not start else f"{key}.{start // MOST}")
        for name in ("accepted", "repeated", "refused"):
            total[name] += answer[name]
        total["runs"] += [{**run, "index": start + run["index"]} for run in answer["runs"]]
        if not as_json:
            for run, row in zip(answer["runs"], portion, strict=True):
                _show(run, row)
    if as_json:
        say_json({"graph": graph, **total})
    else:
        repeated = f", {total['repeated']} started before" if total["repeated"] else ""
        note(f"{total['accepted']} started{repeated}, {total['refused']} refused")
    return ExitCode.REFUSED if total["refused"] else ExitCode.OK


def _send(
    client: Client, graph: str, portion: Sequence[Row], common: Mapping[str, Any], version: int | None, key: str
) -> dict[str, Any]:
    from headrace_cli.client.client import segment

    chosen = {} if version is None else {"version": version}
    body = {"runs": [{"params": {**common, **row.params}, **chosen} for row in portion]}
    headers = {"Idempotency-Key": key}
    answer: dict[str, Any] = client.send(
        "POST", f"graphs/{segment(graph)}/runs:batch", json=body, headers=headers
    ).json()
    return answer


def _show(run: Mapping[str, Any], row: Row) -> None:
    if "run_id" in run:
        say(run["run_id"])
        return
    error = run["error"]
    for issue in error.get("issues") or [{"path": "", "code": error["code"], "message": error["detail"]}]:
        path = issue["path"].removeprefix(f"/runs/{run['index']}")
        note(f"{row.place}: {path or '/'}: {issue['code']}: {issue['message']}")


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CommandError(f"{place} is not JSON: {error}.", hint=_FORM) from error
