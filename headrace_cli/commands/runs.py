"""The commands about runs: logs, list, show, outputs, cancel, retry."""

from __future__ import annotations

import json
import uuid
from enum import StrEnum
from typing import Annotated, Any

import typer

from headrace_cli.client.endings import ENDS, get_run, report_end, show_to_end
from headrace_cli.commands.completion import complete_graph, complete_run
from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json, say_table
from platform_core.facts.run_status import RunStatus


class RetryFrom(StrEnum):
    """Where a retry begins."""

    FAILURE = "failure"
    START = "start"


RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="Id of the run, the beginning of one, or @last for the newest.",
        autocompletion=complete_run,
    ),
]


def logs(
    run_id: RunId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print the events of a run: all there are, and with --follow all to come.

    With --json one JSON object per line. With --follow the exit code says how the run ended, as for `run`.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.follow import follow as followed
    from headrace_cli.client.follow import stored
    from headrace_cli.client.run_ids import full_id
    from headrace_cli.terminal.progress import Lines

    lines = Lines(as_json=as_json)
    with Client(find_server(home)) as client:
        run_id = full_id(client, run_id)
        try:
            for event in (followed if follow else stored)(client, run_id):
                lines.show(event)
        except KeyboardInterrupt:
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        if follow:
            raise typer.Exit(ENDS[get_run(client, run_id)["status"]])


def runs(
    graph: Annotated[str | None, typer.Option(help="Only runs of this graph.", autocompletion=complete_graph)] = None,
    status: Annotated[RunStatus | None, typer.Option(case_sensitive=False, help="Only runs in this status.")] = None,
    trigger: Annotated[
        str | None, typer.Option(help="Only runs that a trigger of this kind or id started: manual, webhook, schedule.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=VALUE]", help="Only runs with this tag; repeatable.")
    ] = None,
    parent: Annotated[str | None, typer.Option(metavar="RUN", help="Only retries of this run.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Created then or later: 2026-11-28T09:00.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Created before then.")] = None,
    search: Annotated[
        str | None, typer.Option("-q", "--search", help="Text in id, graph, params, tags, error.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first; PLACE is a waiting run's place in the queue. Times without a zone are local."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.run_ids import full_id
    from headrace_cli.documents.times import moment

    with Client(find_server(home)) as client:
        wanted = {
            "graph": graph,
            "status": None if status is None else status.value,
            "trigger": trigger,
            "tag": tag or None,
            "parent": None if parent is None else full_id(client, parent),
            "since": None if since is None else moment(since, "--since"),
            "until": None if until is None else moment(until, "--until"),
            "q": search,
        }
        found = list(client.items("runs", limit, **wanted))
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
    from headrace_cli.client.run_ids import full_id

    with Client(find_server(home)) as client:
        found = get_run(client, full_id(client, run_id))
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
        "goes on": found["wake_at"],
        "ended": found["ended_at"],
        "error": None if error is None else printable(error["message"]),
    }
    for name, text in lines.items():
        if text is not None:
            say(f"{name:<9}{text}")


def outputs(
    run_id: RunId,
    name: Annotated[str | None, typer.Argument(help="Print this output alone; text is not quoted.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print what an ended run answered, and on stderr the files in it, which `download` fetches.

    With --json the server's whole answer, or with NAME that output as JSON.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.run_ids import full_id

    with Client(find_server(home)) as client:
        run_id = full_id(client, run_id)
        answer = client.get(f"runs/{run_id}/outputs")
    given = answer["outputs"]
    if name is not None:
        value = _output(given, name, answer["status"])
        say(value) if isinstance(value, str) and not as_json else say_json(value)
    elif as_json:
        say_json(answer)
    else:
        say_json(given)
        for file in answer["files"]:
            note(f"file {file['reference']}: `headrace download {run_id}` fetches it")


def _output(outputs: dict[str, Any] | None, name: str, status: str) -> Any:
    if outputs is None or name not in outputs:
        known = ", ".join(outputs or ()) or "none"
        raise CommandError(
            f"The run has no output {name}; it is {status}.", hint=f"Its outputs: {known}.", exit_code=ExitCode.REFUSED
        )
    return outputs[name]


def cancel(run_id: RunId, home: Home = None, as_json: AsJson = False) -> None:
    """Ask a run to stop; one that has ended stays as it is."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.run_ids import full_id

    with Client(find_server(home)) as client:
        run_id = full_id(client, run_id)
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

    With --follow the exit code says how it ended, as for `run`.
    """
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.run_ids import full_id

    with Client(find_server(home)) as client:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        path = f"runs/{segment(full_id(client, run_id))}/retry"
        started = client.send("POST", path, json={"from": start.value}, headers=key).json()
        if not follow:
            say_json(started) if as_json else say(started["run_id"])
            return
        if not as_json:
            note(f"run {started['run_id']} of {started['graph']} version {started['version']}")
        show_to_end(client, started["run_id"], as_json=as_json)
        raise typer.Exit(report_end(client, started["run_id"], as_json=as_json))
