"""Where the processes of one home meet: the code server's address and the folder of the run workers' sockets."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from pathlib import Path

from platform_core.folders import socket_folder
from platform_core.settings import Settings


@dataclass(frozen=True)
class CodeServerAddress:
    """Of the Dagster code server: host and port, or a unix socket (`host` is then only a name)."""

    host: str
    port: int | None
    socket: str | None


def code_server(settings: Settings) -> CodeServerAddress:
    """A socket of the home unless the settings name a host."""
    if settings.code_server_host is None:
        return CodeServerAddress("localhost", None, str(run_folder(settings.home) / "code.sock"))
    return CodeServerAddress(settings.code_server_host, settings.code_server_port, None)


def run_folder(home: Path) -> Path:
    """Folder of sockets and of the locks by which a live run worker is known. Not created."""
    return socket_folder(home, "run")


def pool_socket(home: Path) -> Path:
    """Where the worker pool takes launches."""
    return run_folder(home) / "pool.sock"


def is_code_server_there(settings: Settings) -> bool:
    """Whether it takes connections, or stands elsewhere; the one of a home starts when somebody opens Dagster's UI."""
    address = code_server(settings)
    return address.socket is None or _takes_connections(address)


def wait_for_code_server(settings: Settings, patience: float = 20.0) -> bool:
    """Return once the code server takes connections, or False after `patience` seconds: Dagster then says why."""
    address = code_server(settings)
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if _takes_connections(address):
            return True
        time.sleep(0.05)
    return False


def _takes_connections(address: CodeServerAddress) -> bool:
    try:
        if address.socket is not None:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(address.socket)
        else:
            socket.create_connection((address.host, address.port or 0), 1.0).close()
    except OSError:
        return False
    return True
