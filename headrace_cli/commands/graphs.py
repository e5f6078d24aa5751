"""The commands about graph documents: apply, validate, list, schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

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

    Applying the same content again changes nothing. All files are tried; exit code 1 if a document has issues.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    outcomes = []
    with Client(find_server(home)) as client:
        for path in files:
            outcomes.append(_apply_one(client, read_source(path), quiet=as_json))
    if as_json:
        say_json(outcomes)
    if any(outcome["outcome"] == "invalid" for outcome in outcomes):
        raise typer.Exit(ExitCode.FAILED)


def validate(
    files: Files,
    called: Annotated[
        list[str] | None, typer.Option("--with", metavar="FILE", help="A graph that the documents call; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check graph documents here, without a server; exit code 1 if any has an issue.

    Prints `file:line:column: code: message` for every issue. Calls of graphs that no file given here has cannot be
    checked without the server, and are noted.
    """
    from graph_compiler.checking.validation import check
    from headrace_cli.documents.files_library import FilesLibrary
    from headrace_cli.serve.extensions import installed_node_types

    node_types = installed_node_types()
    library = FilesLibrary()
    for path in called or ():
        library.add(read_source(path))
    results: list[dict[str, Any]] = []
    for path in files:
        source = read_source(path)
        checked = check(source.content, syntax=source.syntax, node_types=node_types, library=library)
        issues, notes = ([issue.as_dict() for issue in found] for found in (checked.issues, checked.notes))
        results.append({"file": source.name, "valid": not issues, "issues": issues, "notes": notes})
        if not as_json:
            _say_issues(source.name, issues)
            for issue in notes:
                note(issue_line(source.name, issue))
    if as_json:
        say_json(results)
    if not all(result["valid"] for result in results):
        raise typer.Exit(ExitCode.FAILED)
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


def schema() -> None:
    """Print the JSON Schema of graph documents, for editors."""
    from graph_compiler.checking.schema import document_schema
    from headrace_cli.serve.extensions import installed_node_types

    say_json(document_schema(installed_node_types()))


def _apply_one(client: Client, source: Source, *, quiet: bool) -> dict[str, Any]:
    """Save one document and tell the outcome. Raises `CommandError` if the server refuses for another reason."""
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
    return {"file": source.name, "outcome": outcome, "graph": graph}


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
    graph = client.send("PUT", path, content=source.content, headers=headers).json()
    return ("changed" if graph["version"] != current.json()["version"] else "unchanged"), graph


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
