"""The commands about what runs wait for: waits, approve, reject, signal."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.commands.runs import RunId
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say_json, say_table

Node = Annotated[str, typer.Argument(metavar="NODE", help="The node that asks, as `headrace waits` shows it.")]
Form = Annotated[str | None, typer.Option("--form", metavar="JSON", help="What the node's form asks for.")]


def waits(
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what your runs wait for from outside, the oldest first: people who approve, and events."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items("waits", limit))
    if as_json:
        say_json(found)
        return
    rows = [[one["run_id"], one["node"], one["for"], one["until"], one["message"] or ""] for one in found]
    say_table(["RUN", "NODE", "FOR", "UNTIL", "MESSAGE"], rows)


def approve(run_id: RunId, node: Node, form: Form = None, home: Home = None) -> None:
    """Approve what a node of a run asks."""
    _decide(run_id, node, "approve", form, home)


def reject(run_id: RunId, node: Node, form: Form = None, home: Home = None) -> None:
    """Reject what a node of a run asks."""
    _decide(run_id, node, "reject", form, home)


def signal(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="What the wait gave on its port `address`.")],
    body: Annotated[str, typer.Argument(metavar="JSON", help="The event.")] = "null",
    home: Home = None,
) -> None:
    """Tell a run that waits of its event."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    event = _json(body, "the event")
    with Client(find_server(home)) as client:
        client.send("POST", f"waits/{segment(address.rpartition('/')[2])}", json=event)
    note("The event counts.")


def _decide(run_id: str, node: str, decision: str, form: str | None, home: Any) -> None:
    from urllib.parse import quote

    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server
    from headrace_cli.client.run_ids import full_id

    answer = {"decision": decision, "form": None if form is None else _json(form, "--form")}
    with Client(find_server(home)) as client:
        client.send("POST", f"runs/{full_id(client, run_id)}/waits/{quote(node)}", json=answer)
    note(f"The answer counts: {decision}.")


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        message, hint = f"{what} is not JSON: {error}", "Quote it for the shell, as in '{\"sum\": 3}'."
        raise CommandError(message, hint=hint, exit_code=ExitCode.USAGE) from None
