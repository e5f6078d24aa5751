"""The commands about what webhooks received: deliveries, replay."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.terminal import note, say, say_json, say_table


class Verdict(StrEnum):
    """What became of a delivery."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    FILTERED = "filtered"


def deliveries(
    graph: Annotated[str, typer.Argument(help="Name or id of the graph; an admin names another's as owner~name.")],
    verdict: Annotated[Verdict | None, typer.Option(help="Only deliveries with this verdict.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Only deliveries of this trigger.")] = None,
    since: Annotated[str | None, typer.Option(help="Received then or later, such as 2026-11-23T09:00:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="Received before then.")] = None,
    search: Annotated[str | None, typer.Option("-q", "--search", help="Text in the id, headers or body.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what the graph's webhooks received, the newest first."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    filters = {"trigger": trigger, "since": since, "until": until, "q": search}
    filters["verdict"] = None if verdict is None else verdict.value
    with Client(find_server(home)) as client:
        found = list(client.items(f"graphs/{segment(graph)}/deliveries", limit, **filters))
    if as_json:
        say_json(found)
        return
    rows = [
        [
            item["id"],
            item["trigger"],
            printable(item["delivery_id"]),
            item["verdict"],
            item["run_id"] or "",
            item["received_at"],
        ]
        for item in found
    ]
    say_table(["DELIVERY", "TRIGGER", "SENDER'S ID", "VERDICT", "RUN", "RECEIVED"], rows)


def replay(
    delivery: Annotated[str, typer.Argument(metavar="DELIVERY", help="Id of the delivery.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Start a new run from what came then, by the graph as it is now; prints the run's id."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answer = client.send("POST", f"deliveries/{segment(delivery)}/replay", headers=key).json()
    if as_json:
        say_json(answer)
    elif answer["run_id"] is None:
        note("the graph's filter lets it not through; no run was started")
    else:
        say(answer["run_id"])
