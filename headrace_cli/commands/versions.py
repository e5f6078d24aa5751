"""The commands about a graph's versions: get, versions, diff."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace_cli.commands.launch import Graph
from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json, say_table

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "reordered": "~"}
_LONGEST = 200
"""Characters of a value on one line."""


class Form(StrEnum):
    """The syntaxes of documents."""

    YAML = "yaml"
    JSON = "json"


def get(
    graph: Graph,
    version: Annotated[int | None, typer.Option(min=1, help="This version instead of the current one.")] = None,
    form: Annotated[Form, typer.Option("--as", help="The syntax to print the document in.")] = Form.YAML,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print a graph's document, as `apply` takes it; with --json all that the server says of the graph."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        answer = client.get(_path(graph) + ("" if version is None else f"/versions/{version}"))
    if as_json:
        say_json(answer)
    elif form is Form.JSON:
        say(json.dumps(answer["document"], indent=2, ensure_ascii=False))
    else:
        from headrace_cli.documents.yaml_text import yaml_text

        say(yaml_text(answer["document"]).rstrip("\n"))


def versions(
    graph: Graph,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List a graph's versions, the newest first."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        current = client.get(_path(graph))["version"]
        found = list(client.items(f"{_path(graph)}/versions", limit))
    if as_json:
        say_json(found)
        return
    rows = [
        [str(each["version"]), "current" if each["version"] == current else "", each["sha256"][:12], each["created_at"]]
        for each in found
    ]
    say_table(["VERSION", "", "SHA256", "CREATED"], rows)


def diff(
    graph: Graph,
    older: Annotated[int | None, typer.Argument(metavar="[FROM]", min=1, help="The version before TO.")] = None,
    newer: Annotated[int | None, typer.Argument(metavar="[TO]", min=1, help="The current version.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Show what version TO changes of version FROM: nodes and triggers by id, texts line by line.

    Without versions: what the current one changed. Exit code 0 for equal versions, 1 if they differ.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        first, second = _chosen(client, graph, older, newer)
        answer = client.get(f"{_path(graph)}/versions/{first}/diff/{second}")
    if as_json:
        say_json(answer)
    else:
        note(f"{graph}: version {first} -> version {second}")
        for change in answer["changes"]:
            for line in change_lines(change):
                say(printable(line))
        if not answer["changes"]:
            note("no difference")
    raise typer.Exit(ExitCode.FAILED if answer["changes"] else ExitCode.OK)


def change_lines(change: Mapping[str, Any]) -> Iterator[str]:
    """One change as lines of text: its place, and what stood and stands there."""
    kind, place = change["kind"], change["place"]
    if kind == "reordered":
        yield f"~ {place}: the order is now {', '.join(change['after'])}"
    elif change["lines"]:
        yield f"~ {place}:"
        yield from (f"    {line}" for line in change["lines"])
    elif kind == "changed":
        yield f"~ {place}: {_value(change['before'])} -> {_value(change['after'])}"
    else:
        value = change["after"] if kind == "added" else change["before"]
        yield f"{_SIGNS[kind]} {place}: {_value(value)}"


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"


def _chosen(client: Client, graph: str, older: int | None, newer: int | None) -> tuple[int, int]:
    second = client.get(_path(graph))["version"] if newer is None else newer
    return (max(1, second - 1) if older is None else older), second


def _path(graph: str) -> str:
    from headrace_cli.client.client import segment

    return f"graphs/{segment(graph)}"
