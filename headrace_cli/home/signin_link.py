"""Links that sign a browser in once, as the home's administrator; a file tells `up` of the first."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from headrace_cli.home.admin import read_credentials

_NAME = "signin.token"


def link_of(url: str, token: str) -> str:
    """The address that signs in, of a server at `url`."""
    return f"{url.rstrip('/')}/signin?token={token}"


def new_token(home: Path, database_url: str) -> str | None:
    """A token for a link; None if this home made no administrator. Raises `Unavailable`."""
    credentials = read_credentials(home)
    if credentials is None:
        return None
    from definitions.shared.patience import read_patiently
    from platform_core.database.engine import build_engine
    from platform_core.identity.signin_links import new_link_token

    engine = build_engine(database_url, pool_size=1)
    try:
        return read_patiently(engine, lambda connection: new_link_token(connection, credentials.user_id))
    finally:
        engine.dispose()


def leave(home: Path, token: str) -> None:
    """Leave the token for the process that prints the link."""
    descriptor = os.open(home / _NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token)


def take(home: Path) -> str | None:
    """The token that was left, once."""
    path = home / _NAME
    with contextlib.suppress(FileNotFoundError):
        token = path.read_text()
        path.unlink()
        return token
    return None
