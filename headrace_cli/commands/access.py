"""The commands about who may do what: token, users."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.terminal import note, say, say_json, say_table

user_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Who may log in.")


def token(
    ttl: Annotated[
        int | None, typer.Option(min=1, max=86_400, help="Seconds it lives.", show_default="HEADRACE_TOKEN_TTL")
    ] = None,
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


def open_(
    browser: Annotated[bool, typer.Option("--browser", help="Open it in this machine's browser, too.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Print a link that signs a browser in as the local home's administrator: once, within five minutes."""
    import webbrowser

    from headrace_cli.client.connection import home_folder
    from headrace_cli.home import signin_link
    from headrace_cli.home.up_record import read_running

    place = home_folder(home)
    running = read_running(place)
    if running is None:
        raise CommandError(f"No `headrace up` is running in {place}.", hint="Start it; it prints such a link itself.")
    token = signin_link.new_token(place, running.database_url)
    if token is None:
        raise CommandError(f"{place} made no administrator.", hint="Sign in by name and password at /signin.")
    link = signin_link.link_of(running.url, token)
    if as_json:
        say_json({"url": link, "expires_in": 300})
    else:
        say(link)
    if browser:
        webbrowser.open(link)


@user_app.command("add")
def add_user(
    name: Annotated[str, typer.Argument(help="Small letters, digits and single hyphens.")],
    role: Annotated[str, typer.Option(help="viewer, operator, editor or admin.")] = "editor",
    password_stdin: Annotated[bool, typer.Option("--password-stdin", help="Read the password from stdin.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Create a user. Without --password-stdin the password is random and printed this once."""
    import secrets

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
        bool | None, typer.Option("--disable/--enable", help="Whether the user's tokens and keys are accepted.")
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
