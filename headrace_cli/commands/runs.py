"""The commands about runs: run, logs, list, cancel, retry."""

from __future__ import annotations

import json
import time
import uuid
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

ENDS = {"SUCCESS": ExitCode.OK, "FAILURE": ExitCode.FAILED, "CANCELED": ExitCode.CANCELED}
"""The statuses a run ends with, and the exit code that says so."""


class RetryFrom(StrEnum):
    """Where a retry begins."""

    FAILURE = "failure"
    START = "start"


RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]


def run(
    graph: Annotated[str, typer.Argument(help="Name or id of the graph; an admin names another's as owner~name.")],
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
    """Start a run. With --follow or --wait the exit code tells how it ended.

    0 success, 1 failure, 6 cancelled, 7 not ended within --wait. A param's VALUE is read as JSON if it is JSON of
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
            _show_to_end(client, started["run_id"], as_json=as_json)
        elif wait is None:
            say_json(started) if as_json else say(started["run_id"])
            return
        elif not _ends_within(client, started["run_id"], wait):
            say_json(_get(client, started["run_id"])) if as_json else note(f"not ended within {wait:g} s")
            raise typer.Exit(ExitCode.UNFINISHED)
        raise typer.Exit(_tell_end(client, started["run_id"], as_json=as_json))


def logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print the events of a run: all there are, and with --follow all to come.

    With --json one JSON object per line. With --follow the exit code tells how the run ended, as for `run`.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.follow import follow as followed
    from headrace_cli.client.follow import stored
    from headrace_cli.terminal.progress import Lines

    lines = Lines(as_json=as_json)
    with Client(find_server(home)) as client:
        try:
            for event in (followed if follow else stored)(client, run_id):
                lines.show(event)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        if follow:
            raise typer.Exit(ENDS[_get(client, run_id)["status"]])


def runs(
    graph: Annotated[str | None, typer.Option(help="Only runs of this graph.")] = None,
    status: Annotated[str | None, typer.Option(help="Only runs in this status, such as RUNNING.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first; PLACE is a waiting run's place in the queue."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items("runs", limit, graph=graph, status=None if status is None else status.upper()))
    if as_json:
        say_json(found)
        return
    rows = [
        [
            item["run_id"],
            item["graph"],
            str(item["version"]),
            item["status"],
            "" if item.get("position") is None else str(item["position"]),
            item["trigger"]["kind"],
            item["created_at"],
        ]
        for item in found
    ]
    say_table(["RUN", "GRAPH", "VERSION", "STATUS", "PLACE", "TRIGGER", "CREATED"], rows)


def show(run_id: RunId, home: Home = None, as_json: AsJson = False) -> None:
    """Show a run: its status, its place in the queue while it waits, its times and its error."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = _get(client, run_id)
    if as_json:
        say_json(found)
        return
    error = found["error"]
    place = found["position"]
    trigger = found["trigger"]
    lines = {
        "run": found["run_id"],
        "graph": f"{found['graph']} version {found['version']}",
        "owner": found["owner"],
        "status": found["status"] + ("" if place is None else f", number {place} in the queue"),
        "trigger": trigger["kind"] + ("" if trigger["id"] is None else f" {trigger['id']}"),
        "params": json.dumps(found["params"], ensure_ascii=False),
        "tags": json.dumps(found["tags"], ensure_ascii=False) if found["tags"] else None,
        "retry of": found["parent_run_id"],
        "created": found["created_at"],
        "started": found["started_at"],
        "ended": found["ended_at"],
        "error": None if error is None else printable(error["message"]),
    }
    for name, text in lines.items():
        if text is not None:
            say(f"{name:<9}{text}")


def cancel(run_id: RunId, home: Home = None, as_json: AsJson = False) -> None:
    """Ask a run to stop; one that has ended stays as it is."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        answer = client.send("POST", f"runs/{segment(run_id)}/cancel").json()
    if as_json:
        say_json(answer)
    else:
        say(f"{run_id} {answer['status']}")


def retry(
    run_id: RunId,
    start: Annotated[
        RetryFrom, typer.Option("--from", help="`failure` takes what succeeded; `start` runs all again.")
    ] = RetryFrom.FAILURE,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the new run live until it ends.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Run an ended run again, as a new run of the same version with the same params.

    With --follow the exit code tells how it ended, as for `run`.
    """
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        path = f"runs/{segment(run_id)}/retry"
        started = client.send("POST", path, json={"from": start.value}, headers=key).json()
        if not follow:
            say_json(started) if as_json else say(started["run_id"])
            return
        if not as_json:
            note(f"run {started['run_id']} of {started['graph']} version {started['version']}")
        _show_to_end(client, started["run_id"], as_json=as_json)
        raise typer.Exit(_tell_end(client, started["run_id"], as_json=as_json))


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


def _show_to_end(client: Client, run_id: str, *, as_json: bool) -> None:
    from headrace_cli.client.follow import follow
    from headrace_cli.terminal.progress import choose_progress

    try:
        with choose_progress(as_json=as_json) as progress:
            for event in follow(client, run_id):
                progress.show(event)
    except KeyboardInterrupt:
        note(f"The run goes on. `headrace logs --follow {run_id}` shows it again, `headrace cancel {run_id}` ends it.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _ends_within(client: Client, run_id: str, seconds: float) -> bool:
    from headrace_cli.client.follow import Silence, follow

    try:
        for _ in follow(client, run_id, until=time.monotonic() + seconds):
            pass
    except Silence:
        return bool(_get(client, run_id)["status"] in ENDS)
    return True


def _tell_end(client: Client, run_id: str, *, as_json: bool) -> ExitCode:
    """Print how an ended run ended, and its outputs to stdout."""
    ended = _get(client, run_id)
    outputs = client.get(f"runs/{run_id}/outputs")["outputs"] if ended["status"] == "SUCCESS" else None
    if as_json:
        say_json({**ended, "outputs": outputs})
    else:
        error = f": {printable(ended['error']['message'])}" if ended["error"] else ""
        note(f"{ended['status']}{error}")
        if outputs is not None:
            say_json(outputs)
    return ENDS[ended["status"]]


def _get(client: Client, run_id: str) -> dict[str, Any]:
    from headrace_cli.client.client import segment

    answer: dict[str, Any] = client.get(f"runs/{segment(run_id)}")
    return answer
