"""The commands that make a remote server the one to talk to: login, logout."""

from __future__ import annotations

import sys
from typing import Annotated
from urllib.parse import urlsplit

import typer

from headrace_cli.commands.options import AsJson, Home
from headrace_cli.home.stored_login import Login, login_path, write_login
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.terminal import note, say_json


def login(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address of the server, as in https://headrace.example.")],
    user: Annotated[str | None, typer.Option(help="Log in as this user; the password is asked for.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the user's password from standard input.")
    ] = False,
    token_stdin: Annotated[
        bool, typer.Option("--token-stdin", help="Read a bearer token or API key from standard input.")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Talk to a server from now on: check the credentials and keep them in HOME/login.json, for you alone (0600).

    HEADRACE_URL and HEADRACE_TOKEN go before it; `logout` forgets it.
    """
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import Server, home_folder

    address = _checked(url)
    if token_stdin and (user is not None or password_stdin):
        raise CommandError("--token-stdin excludes --user and --password-stdin.", hint="Choose one way to log in.")
    token = (
        _secret("Token or API key", from_stdin=token_stdin) if user is None else _token(address, user, password_stdin)
    )
    with Client(Server(address, token)) as client:
        who = client.get("auth/me")
    path = login_path(home_folder(home))
    write_login(path, Login(address, token))
    if as_json:
        say_json({"url": address, "user": who["name"], "role": who["role"], "path": str(path)})
    else:
        note(f"logged in at {address} as {who['name']} ({who['role']}); kept in {path}")


def logout(home: Home = None, as_json: AsJson = False) -> None:
    """Forget the login of the home; commands talk to its `headrace up` again."""
    from headrace_cli.client.connection import home_folder

    path = login_path(home_folder(home))
    was_there = path.exists()
    path.unlink(missing_ok=True)
    if as_json:
        say_json({"path": str(path), "removed": was_there})
    else:
        note(f"{path} is removed" if was_there else "there was no login")


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise CommandError(
            f"{url} is not the address of a server.", hint="As in: headrace login https://headrace.example"
        )
    if parts.username or parts.password:
        raise CommandError("The address holds credentials.", hint="Give the user with --user.")
    return url.rstrip("/")


def _token(url: str, user: str, password_stdin: bool) -> str:
    from headrace_cli.client.client import Client
    from headrace_cli.client.connection import Server

    password = _secret(f"Password of {user}", from_stdin=password_stdin)
    with Client(Server(url, "")) as client:
        form = {"username": user, "password": password}
        return str(client.send("POST", "auth/token", data=form).json()["access_token"])


def _secret(words: str, *, from_stdin: bool) -> str:
    """From standard input if that is asked for or no terminal, else typed unseen."""
    text = sys.stdin.readline().rstrip("\r\n") if from_stdin or not sys.stdin.isatty() else ""
    if not text and sys.stdin.isatty():
        text = typer.prompt(words, hide_input=True)
    if not text:
        raise CommandError(f"{words}: nothing was given.", hint="Pipe it in, or type it on a terminal.")
    return text
