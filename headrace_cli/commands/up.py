"""`headrace up`: everything on this machine under one supervisor, until a signal ends it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    home: Annotated[
        Path | None, typer.Option(envvar="HEADRACE_HOME", help="Folder of the local state.", show_default="~/.headrace")
    ] = None,
    port: Annotated[
        int | None, typer.Option(envvar="HEADRACE_PORT", help="Port of both APIs; 0: a free one.", show_default="8000")
    ] = None,
    ui_port: Annotated[
        int | None,
        typer.Option(
            envvar="HEADRACE_UI_PORT",
            help="Port for Dagster's UI alone, beside /dagster of --port; 0: a free one.",
            show_default="none",
        ),
    ] = None,
    tls_cert: Annotated[
        Path | None,
        typer.Option(envvar="HEADRACE_TLS_CERT", help="PEM file of a certificate: both APIs speak TLS."),
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(envvar="HEADRACE_TLS_KEY", help="PEM file of its key.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every line of every process.")] = False,
) -> None:
    """Start everything: PostgreSQL, both APIs, the daemon, run workers and Dagster's UI.

    Prints the addresses, then one line `ready http://...` once everything answers. Ctrl-C ends it all.
    A certificate that is renewed in its file is served within seconds.
    Without HEADRACE_DATABASE_URL an embedded PostgreSQL lives in the home.
    """
    from headrace_cli.up.running_stack import run

    chosen = {"home": home, "port": port, "ui_port": ui_port, "tls_cert": tls_cert, "tls_key": tls_key}
    raise typer.Exit(run(chosen, verbose=verbose))
