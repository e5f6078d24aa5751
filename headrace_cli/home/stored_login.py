"""HOME/login.json: the remote server that the commands of this home talk to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from headrace_cli.terminal.errors import CommandError


@dataclass(frozen=True)
class Login:
    """What HOME/login.json holds: the address of a server and a bearer token or API key for it."""

    url: str
    token: str


def login_path(home: Path) -> Path:
    """Where the login of a home is."""
    return home / "login.json"


def read_login(home: Path) -> Login | None:
    """The home's login; None without one. Raises `CommandError` for a file that is not ours."""
    path = login_path(home)
    try:
        return Login(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{path} cannot be read: {error}.", hint="`headrace logout` removes it.") from error


def write_login(path: Path, login: Login) -> None:
    """Keep the login for its owner's eyes only, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(login), file, indent=2)
        file.write("\n")
    draft.replace(path)
