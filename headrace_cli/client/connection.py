"""Which server a command talks to, and as whom."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headrace_cli.home.admin import credentials_path, read_credentials
from headrace_cli.home.up_record import read_record
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode


@dataclass(frozen=True)
class Server:
    """The address of the APIs and a bearer token; `ui_url` only if a local `up` tells it."""

    url: str
    token: str
    ui_url: str | None = None


def find_server(home: Path | None) -> Server:
    """HEADRACE_URL, else the `headrace up` of the home; with HEADRACE_TOKEN, else a token of the home's admin.

    Raises `CommandError` saying what to set when one of both cannot be found.
    """
    home = home_folder(home)
    named = os.environ.get("HEADRACE_URL")
    record = None if named else read_record(home)
    url = named or (record.url if record is not None else None)
    if url is None:
        raise CommandError(
            f"No `headrace up` runs in {home}.",
            hint="Start one, name its home with --home or HEADRACE_HOME, or set HEADRACE_URL and HEADRACE_TOKEN.",
            exit_code=ExitCode.UNREACHABLE,
        )
    token = os.environ.get("HEADRACE_TOKEN") or admin_token(home)
    return Server(url.rstrip("/"), token, None if record is None else record.ui_url)


def home_folder(home: Path | None) -> Path:
    """The home that was chosen, or the one the settings have by default."""
    if home is not None:
        return home.expanduser().absolute()
    return Path.home() / ".headrace"


def admin_token(home: Path, ttl: int | None = None) -> str:
    """A bearer token for the home's administrator, signed here with the home's key; `ttl` in seconds.

    Raises `CommandError` if this home made no administrator.
    """
    credentials = read_credentials(home)
    if credentials is None:
        raise CommandError(
            f"There are no credentials: HEADRACE_TOKEN is not set and {credentials_path(home)} does not exist.",
            hint="`headrace up` writes that file when it creates the first administrator of its database.",
            exit_code=ExitCode.REFUSED,
        )
    from headrace_cli.home.configuration import read_settings
    from platform_core.identity.auth import issue_token
    from platform_core.identity.keys import KeyRing

    settings = read_settings(home=home)
    return issue_token(KeyRing.load_or_create(settings), credentials.user_id, ttl or settings.token_ttl)
