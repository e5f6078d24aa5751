"""The first administrator of a home: a random password, kept in HOME/admin.json for its owner only."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from headrace_cli.terminal.errors import CommandError


@dataclass(frozen=True)
class AdminCredentials:
    """What HOME/admin.json holds."""

    name: str
    password: str
    user_id: str


def credentials_path(home: Path) -> Path:
    """Where the first admin's credentials are."""
    return home / "admin.json"


def read_credentials(home: Path) -> AdminCredentials | None:
    """The credentials; None if this home made no administrator. Raises `CommandError` for a file that is not ours."""
    path = credentials_path(home)
    try:
        return AdminCredentials(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{path} cannot be read: {error}.", hint="Use HEADRACE_TOKEN instead.") from error


def create_first_admin(home: Path, database_url: str, given: str | None = None) -> bool:
    """Create the administrator unless the database has one; whether it was created.

    Without a `given` password a random one is made, and the credentials are written.
    """
    from platform_core.audit.audit_store import record
    from platform_core.audit.entry import SYSTEM, Action, Target, TargetKind
    from platform_core.database.engine import build_engine, transaction
    from platform_core.identity.user_store import FIRST_ADMINISTRATOR, ensure_admin, get_user_by_name

    draft = credentials_path(home).with_suffix(".new")
    engine = build_engine(database_url, pool_size=1)
    try:
        with transaction(engine) as connection:
            password = given or secrets.token_urlsafe(24)
            if not ensure_admin(connection, FIRST_ADMINISTRATOR, password):
                return False
            user = get_user_by_name(connection, FIRST_ADMINISTRATOR)
            assert user is not None
            target = Target(TargetKind.USER, user.id, user.name, user.id)
            record(connection, SYSTEM, Action.USER_CREATED, target, after={"role": user.role})
            if given is not None:
                return True
            _write(draft, AdminCredentials(FIRST_ADMINISTRATOR, password, user.id))
            # In place before the commit: a crash between the two leaves a file that the next start replaces,
            # never an administrator whose password nobody knows.
            draft.replace(credentials_path(home))
    finally:
        engine.dispose()
    return True


def _write(path: Path, credentials: AdminCredentials) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(credentials), file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
