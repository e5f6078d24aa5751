"""The commands that run one service in the foreground; `headrace up` and Kubernetes start them.

Each builds the settings and calls one function that blocks until SIGTERM or SIGINT.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from headrace_cli.serve import dagster_home
from headrace_cli.up import endpoint, template
from platform_core.operation import lifeline

if TYPE_CHECKING:
    from headrace_cli.serve.applications import Which
    from platform_core.settings import Settings

_TERMINATED = 128 + signal.SIGTERM


def load_settings() -> Settings:
    """The settings of this process, tied to its supervisor if it has one. Raises `CommandError` without a database."""
    from headrace_cli.home.configuration import service_settings

    return service_settings()


def api() -> None:
    """Serve both APIs on one port: graphs, runs, webhooks (trigger API) and live events (stream API)."""
    _serve("both")


def trigger_api() -> None:
    """Serve the trigger API alone: graphs, runs, webhooks."""
    _serve("trigger")


def stream() -> None:
    """Serve the stream API alone: live events by SSE and WebSocket."""
    _serve("stream")


def _serve(which: Which) -> None:
    settings = load_settings()
    from headrace_cli.serve import applications

    inherited = os.environ.get(endpoint.VARIABLE)
    raise typer.Exit(applications.serve(settings, None if inherited is None else int(inherited), which))


def code_server() -> None:
    """Serve the graphs as a Dagster code location (gRPC)."""
    settings = load_settings()
    dagster_home.ensure(settings)
    from definitions.location import code_location as service
    from headrace_cli.serve import operation

    with operation.code_server(settings):
        raise typer.Exit(service.main(settings))


def daemon() -> None:
    """Run Dagster's daemons and submit accepted runs."""
    settings = load_settings()
    dagster_home.ensure(settings, launches=True)
    from definitions.daemon import daemon as service
    from headrace_cli.serve import operation

    with operation.daemon(settings):
        raise typer.Exit(service.main(settings))


def workers() -> None:
    """Keep warm run workers ready and execute runs on them."""
    settings = load_settings()
    from definitions.workers import worker_pool as service

    raise typer.Exit(service.main(settings))


def ui() -> None:
    """Serve Dagster's own web interface."""
    settings = load_settings()
    dagster_home.ensure(settings)
    from definitions.location import webserver as service

    raise typer.Exit(service.main(settings))


def run_job(run_id: Annotated[str, typer.Argument(help="The run to execute.")]) -> None:
    """Execute one run in this process; what the pod of a run does."""
    from headrace_cli.serve import run_job as process

    raise typer.Exit(process.execute(run_id))


def migrate() -> None:
    """Bring the database (our schema and Dagster's tables) to this version of Headrace.

    The database is HEADRACE_DATABASE_URL or the embedded one of a running `headrace up`.
    """
    settings = load_settings()
    from headrace_cli.serve import preparation
    from headrace_cli.terminal.terminal import say

    say(f"schema revision {preparation.migrate(settings)}")


def prepare(
    check_only: Annotated[bool, typer.Option("--check-only", help="Refuse an old schema, migrate nothing.")] = False,
    patience: Annotated[float, typer.Option("--patience", help="Seconds to wait for the database.")] = 0.0,
) -> None:
    """Migrate the database and create the first administrator: the first step of `headrace up`."""
    settings = load_settings()
    from headrace_cli.serve import preparation

    preparation.prepare(settings, migrating=not check_only, patience=patience)


def await_schema(
    patience: Annotated[float, typer.Option("--patience", help="Seconds to wait.")] = 600.0,
) -> None:
    """Wait until the database was migrated to this version: what pods do before their service begins."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    settings = load_settings()
    from headrace_cli.serve import preparation

    preparation.await_schema(settings, patience)


def cluster_secrets() -> None:
    """Make the secrets of a trial installation in the cluster that this pod is in, unless they exist."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    from headrace_cli.home.configuration import read_settings
    from headrace_cli.serve import cluster_secrets as task

    task.make(read_settings())


def serve_template() -> None:
    """Load the code of all services and fork them for `headrace up`."""
    from headrace_cli.serve.preload import preload

    preload()
    inherited = [int(os.environ[name]) for name in (lifeline.VARIABLE, endpoint.VARIABLE)]
    request = template.serve(socket.socket(fileno=int(os.environ[template.VARIABLE])), inherited)
    if request is not None:
        from headrace_cli.main import app

        app(list(request.arguments))


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    services: dict[str, Callable[..., None]] = {
        "api": api,
        "trigger-api": trigger_api,
        "stream": stream,
        "code-server": code_server,
        "daemon": daemon,
        "workers": workers,
        "ui": ui,
        "run-job": run_job,
    }
    for name, function in services.items():
        app.command(name, rich_help_panel="Services (started by `up`, or by Kubernetes)")(function)
    app.command("migrate", rich_help_panel="Server")(migrate)
    app.command("prepare", hidden=True)(prepare)
    app.command("await-schema", hidden=True)(await_schema)
    app.command("cluster-secrets", hidden=True)(cluster_secrets)
    app.command("template", hidden=True)(serve_template)
