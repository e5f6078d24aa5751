"""The listening sockets of the APIs and of Dagster's UI: opened by the supervisor and inherited.

So they outlive a crashed process: connections that arrive while it is restarted wait in the kernel's queue instead of
being refused.
"""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode
from platform_core.operation.dagster_ui import PREFIX

if TYPE_CHECKING:
    from platform_core.settings import Settings

VARIABLE = "HEADRACE_LISTEN_FD"
"""Environment variable that names the inherited socket."""
UI_VARIABLE = "HEADRACE_UI_LISTEN_FD"
"""The same for Dagster's UI, which is started by the first connection to its unix socket."""
UI_PORT_VARIABLE = "HEADRACE_UI_PORT_FD"
"""The same for the port that the APIs open for Dagster's UI alone, if there is one."""

_BACKLOG = 1024


def listen(host: str, port: int, option: str) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. Raises `CommandError`, naming the option to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    endpoint = socket.socket(family, socket.SOCK_STREAM)
    try:
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        endpoint.bind((host, port))
        endpoint.listen(_BACKLOG)
    except OSError as error:
        endpoint.close()
        taken = error.errno == errno.EADDRINUSE
        raise CommandError(
            f"Cannot listen on {host}:{port}: {'the port is in use' if taken else error.strerror}.",
            hint=f"Choose another with {option}; {option} 0 takes a free one.",
            exit_code=ExitCode.BROKEN,
        ) from error
    return endpoint


def api_url(settings: Settings) -> str:
    """The address under which this machine reaches the APIs of `up`."""
    return _with_scheme(settings, local_url(settings.host, settings.port))


def ui_url(settings: Settings) -> str:
    """The address under which people reach Dagster's UI of `up`."""
    if settings.ui_port is not None:
        return _with_scheme(settings, local_url(settings.ui_host, settings.ui_port)) + PREFIX
    return (settings.public_url or api_url(settings)).rstrip("/") + PREFIX


def _with_scheme(settings: Settings, url: str) -> str:
    return url if settings.tls_cert is None else f"https{url.removeprefix('http')}"


def listen_locally(path: Path) -> socket.socket:
    """A listening unix socket in a folder that only this user can enter. Raises `CommandError` if another can."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = path.parent.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise CommandError(f"Others may enter the folder {path.parent}.", hint="Remove it.", exit_code=ExitCode.BROKEN)
    path.unlink(missing_ok=True)
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    endpoint.bind(str(path))
    endpoint.listen(_BACKLOG)
    return endpoint


def local_url(host: str, port: int) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared, not bound
    return f"http://{reachable}:{port}"
