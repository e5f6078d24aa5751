"""The commands about the audit log: audit, audit export, audit verify."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say, say_json, say_table

audit_app = typer.Typer(rich_markup_mode=None, help="Who did what, when and from where.")

Action = Annotated[str | None, typer.Option(help="Only this action, such as graph.saved or login.refused.")]
Actor = Annotated[str | None, typer.Option(help="Only what this user or run did (name or id).")]
Target = Annotated[str | None, typer.Option(help="Only what was done to this (name or id).")]
Owner = Annotated[str | None, typer.Option(help="Only what was done to things of this owner.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Of then or later: 2026-11-28T09:00.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="Of before then.")]


class Format(StrEnum):
    """How the log is exported."""

    NDJSON = "ndjson"
    CSV = "csv"


@audit_app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    action: Action = None,
    actor: Actor = None,
    target: Target = None,
    owner: Owner = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 50,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List who did what, the newest first: everybody's for an administrator. Times without a zone are local."""
    if context.invoked_subcommand is not None:
        return
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items("audit", limit, **_filters(action, actor, target, owner, since, until)))
    if as_json:
        say_json(found)
        return
    rows = [
        [
            row["at"],
            row["action"],
            printable(row["actor"]["name"] or row["actor"]["kind"]),
            f"{row['target']['kind']} {printable(row['target']['name'] or row['target']['id'] or '')}",
            row["address"] or "",
        ]
        for row in found
    ]
    say_table(["AT", "ACTION", "WHO", "WHAT", "FROM"], rows)


@audit_app.command("export")
def export(
    format: Annotated[Format, typer.Option(help="ndjson or csv.")] = Format.NDJSON,
    action: Action = None,
    actor: Actor = None,
    target: Target = None,
    owner: Owner = None,
    since: Since = None,
    until: Until = None,
    home: Home = None,
) -> None:
    """Write the log to standard output, the oldest first."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    query = {"format": format.value, **_filters(action, actor, target, owner, since, until)}
    with (
        Client(find_server(home)) as client,
        client.stream("audit", {name: text for name, text in query.items() if text is not None}) as portions,
    ):
        for portion in portions:
            sys.stdout.buffer.write(portion)


@audit_app.command("verify")
def verify(
    known: Annotated[
        str | None, typer.Option("--known", metavar="PLACE:HASH", help="A head that was noted down earlier.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Check the chain of hashes; the exit code is 1 if it is broken. Prints the head, to be noted down elsewhere."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    query = {} if known is None else _link(known)
    with Client(find_server(home)) as client:
        # It takes as long as the log is.
        verdict = client.send("GET", "audit:verify", params=query, timeout=None).json()
    if as_json:
        say_json(verdict)
    else:
        _report(verdict["broken_at"], verdict["holds_known"], verdict["rows"])
        say(f"{verdict['head']['place']}:{verdict['head']['hash']}")
    if not verdict["intact"]:
        raise typer.Exit(ExitCode.FAILED)


def _report(broken_at: int | None, holds_known: bool | None, rows: int) -> None:
    if broken_at is not None:
        note(f"the chain is broken at place {broken_at}; {rows} rows before it are as they were written")
    elif holds_known is False:
        note("the chain is not the one that was noted down")
    else:
        note(f"{rows} rows are as they were written")


def _link(text: str) -> dict[str, str]:
    place, separator, hash = text.partition(":")
    if not separator:
        raise CommandError(f"--known {text} is no PLACE:HASH.", hint="Take it from an earlier `headrace audit verify`.")
    return {"place": place, "hash": hash}


def _filters(
    action: str | None,
    actor: str | None,
    target: str | None,
    owner: str | None,
    since: str | None,
    until: str | None,
) -> dict[str, str | None]:
    from headrace_cli.documents.times import moment

    return {
        "action": action,
        "actor": actor,
        "target": target,
        "owner": owner,
        "since": None if since is None else moment(since, "--since"),
        "until": None if until is None else moment(until, "--until"),
    }
