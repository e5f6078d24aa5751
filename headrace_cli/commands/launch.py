"""The command that starts runs: one with params and files, or many from a file."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace_cli.client.endings import ends_within, get_run, report_end, show_to_end
from headrace_cli.commands.completion import complete_graph
from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

Graph = Annotated[
    str,
    typer.Argument(
        help="Name or id of the graph; an admin names another's as owner~name.", autocompletion=complete_graph
    ),
]


def run(
    graph: Graph,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--param", metavar="NAME=VALUE", help="A param; @FILE for a file or its content, @@ for a literal @."
        ),
    ] = None,
    params: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON or YAML object of params; - is stdin.")
    ] = None,
    batch: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A run for each object of params: JSON lines or an array; - is stdin."),
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Version of the graph instead of the current one.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the run live until it ends.")] = False,
    wait: Annotated[float | None, typer.Option(min=0, metavar="SECONDS", help="Wait so long for its end.")] = None,
    idempotency_key: Annotated[str | None, typer.Option(help="Repeating a key returns the first run.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Start a run. With --follow or --wait the exit code says how it ended.

    0 success, 1 failure, 6 canceled, 7 not ended within --wait. A param's VALUE is read as JSON if it is JSON of
    a type that the graph's schema allows for it, and is a string otherwise: `-p limit=5` is a number, and
    `-p name=5` the string "5" where the schema wants a string.

    With --batch it prints an id per run; params of the file win over -p. Exit code 4 if some runs did not fit.
    """
    if follow + (wait is not None) + (batch is not None) > 1:
        raise CommandError("--follow, --wait and --batch exclude each other.", hint="Choose one of them.")
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        given, files = _params(client, graph, version, param or [], params)
        key = idempotency_key or str(uuid.uuid4())
        if batch is not None:
            from headrace_cli.commands.batch import launch_rows, read_rows

            if files:
                raise CommandError("--batch takes no files.", hint="Launch runs with files one at a time.")
            raise typer.Exit(launch_rows(client, graph, read_rows(batch), given, version, key, as_json))
        body: dict[str, Any] = {"params": given}
        if version is not None:
            body["version"] = version
        started = _launch(client, graph, body, files, key)
        if not as_json:
            note(f"run {started['run_id']} of {started['graph']} version {started['version']}")
        if follow:
            show_to_end(client, started["run_id"], as_json=as_json)
        elif wait is None:
            say_json(started) if as_json else say(started["run_id"])
            return
        elif not ends_within(client, started["run_id"], wait):
            say_json(get_run(client, started["run_id"])) if as_json else note(f"not ended within {wait:g} s")
            raise typer.Exit(ExitCode.UNFINISHED)
        raise typer.Exit(report_end(client, started["run_id"], as_json=as_json))


def _params(
    client: Client, graph: str, version: int | None, assignments: list[str], file: Path | None
) -> tuple[dict[str, Any], dict[str, Path]]:
    """The params that are values, and files to send for others."""
    from headrace_cli.client.client import segment
    from headrace_cli.documents.params import collect, take_files

    if not assignments:
        return collect([], file, {}), {}
    path = f"graphs/{segment(graph)}" + ("" if version is None else f"/versions/{version}")
    schema = client.get(path)["document"].get("params") or {}
    values, files = take_files(assignments, schema)
    return collect(values, file, schema), files


def _launch(client: Client, graph: str, body: dict[str, Any], files: dict[str, Path], key: str) -> dict[str, Any]:
    """The accepted run. Issues in the params become one error that names them all."""
    from headrace_cli.client.client import Refused, segment

    try:
        path = f"graphs/{segment(graph)}/runs"
        sent = {"files": _parts(body, files)} if files else {"json": body}
        answer: dict[str, Any] = client.send("POST", path, headers={"Idempotency-Key": key}, **sent).json()
    except Refused as refusal:
        issues = "".join(f"\n  {issue['path'] or '/'}: {issue['code']}: {issue['message']}" for issue in refusal.issues)
        raise CommandError(refusal.message + issues, hint=refusal.hint, exit_code=ExitCode.REFUSED) from refusal
    return answer


def _parts(body: dict[str, Any], files: dict[str, Path]) -> dict[str, tuple[str | None, bytes]]:
    """A multipart body: the launch itself, and a part for each file. What is no regular file can be read once only."""
    parts: dict[str, tuple[str | None, bytes]] = {"$launch": (None, json.dumps(body).encode())}
    for name, path in files.items():
        try:
            parts[name] = (path.name, path.read_bytes())
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error}.", hint="Give a file that you may read.") from error
    return parts
