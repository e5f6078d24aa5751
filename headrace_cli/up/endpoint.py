"""The listening sockets of the APIs and of Dagster's UI: opened by the supervisor and inherited.

So they outlive a crashed process: connections that arrive while it is restarted wait in the kernel's queue instead of
being refused.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from platform_core.settings import Settings

VARIABLE = "HEADRACE_LISTEN_FD"
"""Environment variable that names the inherited socket."""
UI_VARIABLE = "HEADRACE_UI_LISTEN_FD"
"""The same for Dagster's UI, which is started by the first connection."""

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
    url = local_url(settings.host, settings.port)
    return url if settings.tls_cert is None else f"https{url.removeprefix('http')}"


def local_url(host: str, port: int) -> str:
    """The address under which this machine reaches a server that listens on `host`."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - compared, not bound
    return f"http://{reachable}:{port}"
