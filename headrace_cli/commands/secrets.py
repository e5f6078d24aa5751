"""The commands about secrets: set, list, delete."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.terminal import note, say_json, say_table

secret_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Secrets that nodes and webhook checks use; write-only."
)


@secret_app.command("set")
def set_secret(
    name: Annotated[str, typer.Argument(help="Name by which documents refer to it.")],
    value: Annotated[str | None, typer.Option(help="The value; other users of this machine can see it.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Create or replace a secret. Without --value it is read from standard input, or asked for on a terminal."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        client.send("PUT", f"secrets/{segment(name)}", json={"value": _secret_value(name, value)})
    if as_json:
        say_json({"name": name})
    else:
        note(f"secret {name} is set")


@secret_app.command("list")
def list_secrets(
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 200,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List the names of your secrets and where each comes from; nothing prints their values."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items("secrets", limit))
    if as_json:
        say_json(found)
        return
    say_table(["SECRET", "FROM"], [[each["name"], each["source"]] for each in found])


@secret_app.command("delete")
def delete_secret(
    name: Annotated[str, typer.Argument(help="Name of the secret.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Delete a secret; nodes and webhooks that use it fail from now on."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        client.send("DELETE", f"secrets/{segment(name)}")
    if as_json:
        say_json({"name": name})
    else:
        note(f"secret {name} is deleted")


@secret_app.command("rotate-keys")
def rotate_keys(home: Home = None, as_json: AsJson = False) -> None:
    """Encrypt all stored secrets with the newest master key, while services run; for administrators."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = client.send("POST", "secrets:rotate-keys", timeout=None).json()
    if as_json:
        say_json(found)
    else:
        note(f"{found['renewed']} secrets are encrypted with the newest master key now, the others were")
    if found["unreadable"]:
        names = ", ".join(found["unreadable"])
        raise CommandError(
            f"No configured master key opens: {names}.", hint="Add the key they were set under to HEADRACE_SECRET_KEY."
        )


def _secret_value(name: str, value: str | None) -> str:
    if value is None and sys.stdin.isatty():
        value = typer.prompt(f"Value of {name}", hide_input=True)
    elif value is None:
        value = sys.stdin.read().removesuffix("\n")
    if not value:
        raise CommandError(
            f"The value of {name} is empty.",
            hint=f'Pipe it in (`printf %s "$VALUE" | headrace secret set {name}`) or use --value.',
        )
    return value
