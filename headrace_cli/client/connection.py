"""Which server a command talks to, and as whom."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from headrace_cli.home.admin import credentials_path, read_credentials
from headrace_cli.home.stored_login import read_login
from headrace_cli.home.up_record import read_record
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode


@dataclass(frozen=True)
class Server:
    """The address of the APIs and a bearer token; `ui_url` only if a local `up` says it."""

    url: str
    token: str
    ui_url: str | None = None
    cert: str | None = None
    """The file of the very certificate that a local `up` serves by; other servers have one that others vouch for."""


def find_server(home: Path | None) -> Server:
    """HEADRACE_URL, else where the home is logged in, else its `headrace up`.

    With HEADRACE_TOKEN, else the token of the login at that address, else one of the home's admin. Raises
    `CommandError` saying what to set when one of both cannot be found.
    """
    home = home_folder(home)
    named = os.environ.get("HEADRACE_URL")
    login = read_login(home)
    if login is not None and named in (None, "", login.url, f"{login.url}/"):
        return Server(login.url, os.environ.get("HEADRACE_TOKEN") or login.token)
    record = read_record(home)
    if record is not None and named not in (None, "", record.url, f"{record.url}/"):
        record = None
    url = named or (record.url if record is not None else None)
    if url is None:
        raise CommandError(
            f"No `headrace up` runs in {home}.",
            hint="Start one, name its home with --home or HEADRACE_HOME, or `headrace login URL` to a server.",
            exit_code=ExitCode.UNREACHABLE,
        )
    token = os.environ.get("HEADRACE_TOKEN") or admin_token(home)
    if record is None:
        return Server(url.rstrip("/"), token)
    return Server(url.rstrip("/"), token, record.ui_url, record.tls_cert)


def home_folder(home: Path | None) -> Path:
    """The home that was chosen, or the one the settings have by default."""
    if home is not None:
        return home.expanduser().absolute()
    return Path.home() / ".headrace"


def admin_token(home: Path, ttl: int | None = None) -> str:
    """A bearer token for the home's administrator, signed here with the key of the home's database; `ttl` in seconds.

    Raises `CommandError` if this home made no administrator or nothing names its database, `Unavailable` if that is
    away.
    """
    credentials = read_credentials(home)
    if credentials is None:
        raise CommandError(
            f"There are no credentials: HEADRACE_TOKEN is not set and {credentials_path(home)} does not exist.",
            hint="`headrace up` writes that file when it creates the first administrator of its database.",
            exit_code=ExitCode.REFUSED,
        )
    from definitions.shared.patience import read_patiently
    from headrace_cli.home.configuration import read_settings, with_database
    from platform_core.database.engine import build_engine
    from platform_core.identity.auth import issue_token
    from platform_core.identity.keys import KeyRing
    from platform_core.identity.signing_keys import SigningKeys

    settings = with_database(read_settings(home=home))
    assert settings.database_url is not None
    engine = build_engine(settings.database_url, pool_size=1)
    try:
        keys, lifetime = SigningKeys(KeyRing.load_or_create(settings)), ttl or settings.token_ttl
        # While the home's database starts again, commands wait for it, as they do for its API.
        return read_patiently(engine, lambda connection: issue_token(connection, keys, credentials.user_id, lifetime))
    finally:
        engine.dispose()
