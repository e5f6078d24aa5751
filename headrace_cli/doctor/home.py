"""The home: modes, the master key, room on its disk, and the ports that `up` is to listen on."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from headrace_cli.doctor.finding import Finding, Grade
from headrace_cli.home.privacy import open_to_others
from headrace_cli.home.up_record import read_running
from headrace_cli.terminal.errors import CommandError
from headrace_cli.up.endpoint import listen
from platform_core.settings import Settings

_GIB = 1024**3
_LEAST, _FEW = 1 * _GIB, 5 * _GIB


def examine_home(settings: Settings) -> Iterator[Finding]:
    """What is on this machine for this installation alone."""
    yield _modes(settings.home)
    yield _secret_key(settings)
    yield _disk(settings.home)
    yield from _ports(settings)


def _modes(home: Path) -> Finding:
    if not home.is_dir():
        return Finding("home", Grade.OK, f"{home} does not exist; `headrace up` makes it for its user alone")
    if not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        return Finding("home", Grade.MEND, f"{home} is not this user's", "Start as its owner, or name another --home.")
    if found := open_to_others(home):
        advice = f"Start `headrace up`, which closes it, or run `chmod -R go= {home}`."
        return Finding("home", Grade.MEND, f"open to other users of this machine: {', '.join(found)}", advice)
    return Finding("home", Grade.OK, f"{home} is closed to other users")


def _secret_key(settings: Settings) -> Finding:
    path = settings.home / "secret.key"
    if settings.secret_key is not None:
        return Finding("secret-key", Grade.OK, "from HEADRACE_SECRET_KEY")
    if path.exists():
        return Finding("secret-key", Grade.OK, str(path), "Keep a copy elsewhere: without it no secret can be read.")
    if (settings.home / "postgres").exists():
        advice = "Bring it back from a copy; a new one is made at start, and secrets are lost."
        return Finding("secret-key", Grade.MEND, f"{path} is missing beside a database", advice)
    return Finding("secret-key", Grade.OK, "made by the first start")


def _disk(home: Path) -> Finding:
    place = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(place).free
    said = f"{free / _GIB:.1f} GiB are free on the disk of {place}"
    if free < _LEAST:
        return Finding("disk", Grade.MEND, said, "Make room: a full disk stops PostgreSQL.")
    return Finding("disk", Grade.NOTE if free < _FEW else Grade.OK, said)


def _ports(settings: Settings) -> Iterator[Finding]:
    if (record := read_running(settings.home)) is not None:
        yield Finding("ports", Grade.OK, f"`headrace up` listens at {record.url}")
        return
    wanted = [("--port", settings.host, settings.port)]
    if settings.ui_port is not None:
        wanted.append(("--ui-port", settings.ui_host, settings.ui_port))
    for name, host, port in wanted:
        try:
            with closing(listen(host, port, name)) as endpoint:
                yield Finding("ports", Grade.OK, f"{host}:{_number(endpoint)} is free")
        except CommandError as error:
            yield Finding("ports", Grade.MEND, str(error), error.hint)


def _number(endpoint: socket.socket) -> int:
    number: int = endpoint.getsockname()[1]
    return number
