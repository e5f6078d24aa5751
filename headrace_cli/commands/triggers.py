"""The commands about triggers: list, enable, disable, and of timers next, ticks, fire, backfill."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.terminal import note, say, say_json, say_table

Graph = Annotated[str, typer.Argument(help="Name or id of the graph.")]
Trigger = Annotated[str, typer.Argument(help="Id of the trigger in the document.")]


def triggers(graph: Graph, home: Home = None, as_json: AsJson = False) -> None:
    """List a graph's triggers, with the next time of each timer."""
    found = _send("GET", _path(graph), home)["items"]
    if as_json:
        say_json(found)
        return
    rows = [
        [item["id"], item["type"], "yes" if item["enabled"] else "no", item.get("next") or item.get("url") or "-"]
        for item in found
    ]
    say_table(["TRIGGER", "TYPE", "ENABLED", "NEXT OR URL"], rows)


def enable(graph: Graph, trigger: Trigger, home: Home = None, as_json: AsJson = False) -> None:
    """Switch a trigger on; a timer begins now, with nothing of the time it was off."""
    _switch(graph, trigger, "enable", home, as_json)


def disable(graph: Graph, trigger: Trigger, home: Home = None, as_json: AsJson = False) -> None:
    """Switch a trigger off, through all versions of its graph."""
    _switch(graph, trigger, "disable", home, as_json)


def next_times(
    graph: Graph,
    trigger: Trigger,
    count: Annotated[int, typer.Option("-n", "--count", min=1, max=100, help="How many.")] = 5,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print the next times of a timer, in its timezone."""
    found = _send("GET", _path(graph, trigger, "next"), home, params={"n": count})["items"]
    if as_json:
        say_json(found)
        return
    for item in found:
        say(item["local"])


def ticks(
    graph: Graph,
    trigger: Trigger,
    status: Annotated[str | None, typer.Option(help="fired, skipped, missed, refused or waiting.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 20,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List what became of a timer's times, the newest first."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items(_path(graph, trigger, "ticks"), limit, status=status))
    if as_json:
        say_json(found)
        return
    rows = [[item["scheduled_at"], item["status"], item["source"], _outcome(item)] for item in found]
    say_table(["TIME", "STATUS", "SOURCE", "RUN OR REASON"], rows)


def fire(graph: Graph, trigger: Trigger, home: Home = None, as_json: AsJson = False) -> None:
    """Start a timer's run now, whether it is enabled or not; prints the run's id."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    started = _send("POST", _path(graph, trigger, "fire"), home, headers=key)
    say_json(started) if as_json else say(started["run_id"])


def backfill(
    graph: Graph,
    trigger: Trigger,
    begin: Annotated[str, typer.Option("--from", metavar="TIME", help="The first time, such as 2026-03-01.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="The end, excluded.")],
    run: Annotated[bool, typer.Option("--run", help="Run the times; without it they are only listed.")] = False,
    max_parallel: Annotated[int, typer.Option(min=1, max=100, help="Runs of the backfill at once.")] = 1,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the times of a period that did not run; with --run, run them. A time that ran is never run again."""
    body = {"from": begin, "to": end, "dry_run": not run, "max_parallel": max_parallel}
    answer = _send("POST", _path(graph, trigger, "backfill"), home, json=body)
    if as_json:
        say_json(answer)
        return
    rows = [[item["time"], "run" if item["runs"] else "leave", item["status"] or "-"] for item in answer["times"]]
    say_table(["TIME", "BACKFILL", "BEFORE"], rows)
    note(f"{answer['count']} times " + ("are being run" if run else "would run; --run runs them"))


def _switch(graph: str, trigger: str, action: str, home: Any, as_json: bool) -> None:
    answer = _send("POST", _path(graph, trigger, action), home)
    if as_json:
        say_json(answer)
    else:
        say(f"{trigger} {'enabled' if answer['enabled'] else 'disabled'}")


def _send(method: str, path: str, home: Any, **options: Any) -> dict[str, Any]:
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        answer: dict[str, Any] = client.send(method, path, **options).json()
    return answer


def _path(graph: str, trigger: str | None = None, what: str = "") -> str:
    from headrace_cli.client.client import segment

    path = f"graphs/{segment(graph)}/triggers"
    return path if trigger is None else f"{path}/{segment(trigger)}/{what}"


def _outcome(tick: dict[str, Any]) -> str:
    if tick["status"] == "missed":
        many = tick.get("missed_count")
        return f"{'many' if many is None else many} times up to {tick.get('missed_until')}"
    return str(tick["run_id"] or tick["reason"] or "-")
