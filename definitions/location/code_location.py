"""Serves our code location over gRPC, by Dagster's own command `dagster api grpc`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import click
from dagster._cli.api import grpc_command

from definitions.shared import addresses
from definitions.shared.names import LOCATION
from platform_core.settings import Settings


def main(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code."""
    address = addresses.code_server(settings)
    # The address is how others reach it; in a cluster that is the name of a Service, on which nobody can listen.
    place = ["--host", settings.host, "--port", str(address.port)]
    if address.socket is not None:
        with suppress(FileNotFoundError):
            Path(address.socket).unlink()
        place = ["--socket", address.socket]
    target = ["--module-name", "definitions.repository", "--attribute", "stored_graphs"]
    # It warns at every reload that it cannot restart user code; ours needs no restart.
    options = ["--location-name", LOCATION, "--log-level", "error"]
    with suppress(KeyboardInterrupt, click.Abort):
        grpc_command.main([*place, *target, *options], standalone_mode=False)
    return 0
