"""The commands about who may do what: token, secrets, users."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.terminal import note, say, say_json, say_table

secret_app = typer.Typer(no_args_is_help=True, help="Secrets that nodes and webhook checks use; write-only.")
user_app = typer.Typer(no_args_is_help=True, help="Who may log in.")


def token(
    ttl: Annotated[int | None, typer.Option(min=1, help="Seconds it lives.", show_default="HEADRACE_TOKEN_TTL")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print a bearer token of the local home's administrator."""
    from headrace_cli.client.connection import admin_token, home_folder

    made = admin_token(home_folder(home), ttl)
    if as_json:
        say_json({"access_token": made, "token_type": "bearer"})
    else:
        say(made)


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


@user_app.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="Small letters, digits and single hyphens.")],
    role: Annotated[str, typer.Option(help="viewer, operator, editor or admin.")] = "editor",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Create a user. Without --password-stdin the password is random and printed this once."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    password = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(18)
    with Client(find_server(home)) as client:
        user = client.send("POST", "users", json={"name": name, "password": password, "role": role}).json()
    if as_json:
        say_json(user if password_stdin else {**user, "password": password})
        return
    note(f"user {user['name']} ({user['role']}) created")
    if not password_stdin:
        say(password)


@user_app.command("list")
def list_users(
    limit: Annotated[int, typer.Option(min=1, help="How many to list at most.")] = 200,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """List users by name."""
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import find_server

    with Client(find_server(home)) as client:
        found = list(client.items("users", limit))
    if as_json:
        say_json(found)
        return
    rows = [
        [
            user["name"],
            user["role"],
            "disabled" if user["disabled"] else "active",
            "" if user["max_concurrent_runs"] is None else str(user["max_concurrent_runs"]),
        ]
        for user in found
    ]
    say_table(["USER", "ROLE", "STATE", "MOST RUNS"], rows)


@user_app.command("change")
def change_user(
    name: Annotated[str, typer.Argument(help="Name of the user.")],
    role: Annotated[str | None, typer.Option(help="viewer, operator, editor or admin.")] = None,
    max_runs: Annotated[
        str | None, typer.Option(metavar="N|none", help="Runs of the user executed at once; none: the limit of all.")
    ] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether the user's tokens and keys hold.")
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Change a user's role or limit of concurrent runs, or disable them; what is not named stays."""
    from headrace_cli.client.client import Client, segment
    from headrace_cli.client.connection import find_server

    given = {"role": role, "disabled": disabled}
    change: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    if max_runs is not None:
        change["max_concurrent_runs"] = _limit(max_runs)
    if not change:
        raise CommandError("Nothing to change.", hint="Give --role, --max-runs, --disable or --enable.")
    with Client(find_server(home)) as client:
        user = client.send("PATCH", f"users/{segment(name)}", json=change).json()
    if as_json:
        say_json(user)
        return
    state = "disabled" if user["disabled"] else "active"
    most = user["max_concurrent_runs"]
    limit = "no limit of their own" if most is None else f"at most {most} runs at once"
    note(f"user {user['name']} ({user['role']}, {state}), {limit}")


def _limit(text: str) -> int | None:
    if text == "none":
        return None
    if not text.isdecimal():
        raise CommandError(
            f"--max-runs {text} is not a number.", hint="Give a number, or `none` to take the limit away."
        )
    return int(text)


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
