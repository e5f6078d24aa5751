"""The commands about graph documents: apply, validate, list, delete, schema."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace_cli.commands.launch import Graph
from headrace_cli.commands.options import AsJson, Home
from headrace_cli.documents.sources import Source, read_source
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.issue_lines import issue_line
from headrace_cli.terminal.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

_CONTENT_TYPES = {"json": "application/json", "yaml": "application/yaml", None: "application/octet-stream"}

Files = Annotated[list[str], typer.Argument(help="Graph documents, JSON or YAML; - is standard input.")]


def apply(files: Files, home: Home = None, as_json: AsJson = False) -> None:
    """Save graph documents on the server: create them, or make a new version of what changed.

    Applying the same content again changes nothing. All files are tried and each is reported; exit code 1 if a
    document has issues, and that of the first other error (2 or 4) if a file cannot be read or saved.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        outcomes = [_tried(path, lambda source: _apply_one(client, source, quiet=as_json), as_json) for path in files]
    _finish(outcomes, as_json=as_json)


def validate(
    files: Files,
    called: Annotated[
        list[str] | None, typer.Option("--with", metavar="FILE", help="A graph that the documents call; repeatable.")
    ] = None,
    server: Annotated[
        bool, typer.Option("--server", help="Check on the server, which knows the graphs that the documents call.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check graph documents here, or with --server there; exit code 1 if any has an issue.

    Prints `file:line:column: code: message` for every issue. Calls of graphs that no file given here has cannot be
    checked without the server, and are noted. All files are tried.
    """
    if server and called:
        raise CommandError("--server and --with exclude each other.", hint="The server knows your graphs.")
    check = _server_check(home) if server else _local_check(called or ())
    results = [_tried(path, lambda source: _report(check(source), quiet=as_json), as_json) for path in files]
    _finish(results, as_json=as_json)
    if not as_json:
        note(f"{len(results)} valid")


def graphs(
    home: Home = None,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 100,
) -> None:
    """List the graphs you may see."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items("graphs", limit))
    if as_json:
        say_json(found)
        return
    rows = [[graph["name"], graph["owner"], str(graph["version"]), graph["updated_at"]] for graph in found]
    say_table(["GRAPH", "OWNER", "VERSION", "UPDATED"], rows)


def delete(
    graph: Graph,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete a graph. Its runs stay readable, and graphs that call it keep their version.

    It asks before; where no terminal can answer, --yes is needed.
    """
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    if not yes and not sys.stdin.isatty():
        raise CommandError(f"Deleting {graph} needs --yes here.", hint="Nobody can be asked.")
    with Client(find_server(home)) as client:
        path = f"graphs/{segment(graph)}"
        found = client.send("GET", path)
        name = found.json()["name"]
        if not yes and not typer.confirm(
            f"Delete {name}, of {found.json()['owner']}, with all its versions?", err=True
        ):
            raise typer.Exit(ExitCode.FAILED)
        client.send("DELETE", path, headers={"If-Match": found.headers["ETag"]})
    if as_json:
        say_json({"name": name})
    else:
        note(f"graph {name} is deleted")


def schema() -> None:
    """Print the JSON Schema of graph documents, for editors."""
    from graph_compiler.checking.schema import document_schema
    from headrace_cli.serve.extensions import installed_node_types

    say_json(document_schema(installed_node_types()))


def _tried(path: str, work: Callable[[Source], dict[str, Any]], as_json: bool) -> dict[str, Any]:
    """What became of one file; an error is reported and does not keep the others from being tried.

    Raises `CommandError` if there is no server to try them on.
    """
    try:
        return work(read_source(path))
    except CommandError as error:
        if error.exit_code is ExitCode.UNREACHABLE:
            raise
        if not as_json:
            note(f"{path}: error: {error.message}")
            note(f"hint: {error.hint}")
        reported = {"message": error.message, "hint": error.hint, "exit_code": int(error.exit_code)}
        return {"file": path, "outcome": "failed", "issues": [], "error": reported}


def _finish(outcomes: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print all outcomes as JSON if wanted; leave with the code that says what went wrong, if something did."""
    if as_json:
        say_json(outcomes)
    for outcome in outcomes:
        if outcome.get("error"):
            raise typer.Exit(outcome["error"]["exit_code"])
    if any(outcome["issues"] for outcome in outcomes):
        raise typer.Exit(ExitCode.FAILED)


def _local_check(called: Sequence[str]) -> Callable[[Source], dict[str, Any]]:
    from graph_compiler.checking.validation import check
    from headrace_cli.documents.files_library import FilesLibrary
    from headrace_cli.serve.extensions import installed_node_types

    node_types = installed_node_types()
    library = FilesLibrary()
    for path in called:
        library.add(read_source(path))

    def checked(source: Source) -> dict[str, Any]:
        found = check(source.content, syntax=source.syntax, node_types=node_types, library=library)
        issues, notes = ([issue.as_dict() for issue in part] for part in (found.issues, found.notes))
        return {"file": source.name, "valid": not issues, "issues": issues, "notes": notes}

    return checked


def _server_check(home: Path | None) -> Callable[[Source], dict[str, Any]]:
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    server = find_server(home)

    def checked(source: Source) -> dict[str, Any]:
        with Client(server) as client:
            content_type = {"Content-Type": _CONTENT_TYPES[source.syntax]}
            answer = client.send("POST", "graphs/validate", content=source.content, headers=content_type).json()
        return {"file": source.name, "valid": answer["valid"], "issues": answer["issues"], "notes": []}

    return checked


def _report(result: dict[str, Any], *, quiet: bool) -> dict[str, Any]:
    if not quiet:
        _say_issues(result["file"], result["issues"])
        for issue in result["notes"]:
            note(issue_line(result["file"], issue))
    return result


def _apply_one(client: Client, source: Source, *, quiet: bool) -> dict[str, Any]:
    """Save one document and print the outcome. Raises `CommandError` if the server refuses for another reason."""
    from headrace_cli.client.client import Refused

    try:
        outcome, graph = _save(client, source)
    except Refused as refusal:
        if not refusal.issues:
            raise
        if not quiet:
            _say_issues(source.name, refusal.issues)
        return {"file": source.name, "outcome": "invalid", "issues": refusal.issues}
    if not quiet:
        say(f"{graph['name']} {outcome} (version {graph['version']})")
        for trigger in graph["triggers"]:
            if trigger.get("url"):
                say(f"  {trigger['type']} {trigger['id']}: {trigger['url']}")
    return {"file": source.name, "outcome": outcome, "graph": graph, "issues": []}


def _save(client: Client, source: Source) -> tuple[str, dict[str, Any]]:
    """Create the graph, or replace its current version as long as nobody else did meanwhile."""
    from headrace_cli.client.client import Refused, segment

    content_type = {"Content-Type": _CONTENT_TYPES[source.syntax]}
    try:
        response = client.send("POST", "graphs", content=source.content, headers=content_type)
        return ("created" if response.status_code == 201 else "unchanged"), response.json()
    except Refused as refusal:
        if refusal.code != "graph_exists":
            raise
    path = f"graphs/{segment(_name_in(source))}"
    current = client.send("GET", path)
    headers = {**content_type, "If-Match": current.headers["ETag"]}
    saved = client.send("PUT", path, content=source.content, headers=headers)
    is_same = saved.headers["ETag"] == current.headers["ETag"]
    return ("unchanged" if is_same else "changed"), saved.json()


def _name_in(source: Source) -> str:
    """The graph's name in a document that the server found valid."""
    from graph_compiler.language.loading import load

    data = load(source.content, syntax=source.syntax).data
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise CommandError(f"{source.name} has no name.", hint="Give the document a `name`.")
    return str(data["name"])


def _say_issues(name: str, issues: list[Any]) -> None:
    for issue in issues:
        say(issue_line(name, issue))
