"""The command that tries one node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from headrace_cli.client.endings import report_end, show_to_end
from headrace_cli.commands.launch import Graph
from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note


def try_node(
    graph: Graph,
    node: Annotated[str, typer.Argument(help="The id of the node.")],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "-p", "--input", metavar="PORT=VALUE", help="A value for an input port; @FILE for the content of a file."
        ),
    ] = None,
    pin: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON or YAML object of inputs by port; - is stdin.")
    ] = None,
    params: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON or YAML object of params that the node's templates see.")
    ] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Version of the graph instead of the current one.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Run one node of a saved graph with sample inputs, and show what it writes and answers.

    It is a short run of its own on the server, with your secrets and all limits; what the node does in the world, it
    does. The exit code tells how it ended, as that of `run --follow`.
    """
    from headrace_cli.client.client import Client, Refused, segment
    from headrace_cli.client.connection import find_server
    from headrace_cli.documents.params import collect

    body: dict[str, Any] = {"inputs": collect(inputs or [], pin, {}), "params": collect([], params, {})}
    body |= {} if version is None else {"version": version}
    with Client(find_server(home)) as client:
        try:
            path = f"graphs/{segment(graph)}/nodes/{segment(node)}:try"
            started = client.send("POST", path, json=body).json()
        except Refused as refusal:
            issues = "".join(f"\n  {each['path'] or '/'}: {each['code']}: {each['message']}" for each in refusal.issues)
            raise CommandError(refusal.message + issues, hint=refusal.hint, exit_code=ExitCode.REFUSED) from refusal
        if not as_json:
            note(f"run {started['run_id']} tries {node} of {graph}")
        show_to_end(client, started["run_id"], as_json=as_json)
        raise typer.Exit(report_end(client, started["run_id"], as_json=as_json))
