"""Serves our code location over gRPC, by Dagster's own command `dagster api grpc`.

Internal used: `grpc_command`, that command as a function.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from pathlib import Path

import click
from dagster._cli.api import grpc_command

from definitions.shared import addresses
from definitions.shared.names import LOCATION
from platform_core.settings import Settings

_REPOSITORY = "definitions.repository"


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    address = addresses.code_server(settings)
    # The address is how others reach it; in a cluster that is the name of a Service, on which nobody can listen.
    place = ["--host", settings.host, "--port", str(address.port)]
    if address.socket is not None:
        with suppress(FileNotFoundError):
            Path(address.socket).unlink()
        place = ["--socket", address.socket]
    # Dagster leaves out the first folder of the path while it imports, and under `python -P` that is the one with our
    # packages: what is loaded before, it need not find.
    import_module(_REPOSITORY)
    target = ["--module-name", _REPOSITORY, "--attribute", "stored_graphs"]
    # It warns at every reload that it cannot restart user code; ours needs no restart.
    options = ["--location-name", LOCATION, "--log-level", "error"]
    with suppress(KeyboardInterrupt, click.Abort):
        grpc_command.main([*place, *target, *options], standalone_mode=False)
    return 0
