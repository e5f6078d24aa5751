"""The commands that run one service in the foreground; `headrace up` and Kubernetes start them.

Each builds the settings and calls one function that blocks until SIGTERM or SIGINT.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from headrace_cli.commands.up import up

if TYPE_CHECKING:
    from headrace_cli.serve.applications import Which
    from platform_core.settings import Settings


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
    from headrace_cli.up import endpoint

    inherited = [os.environ.get(name) for name in (endpoint.VARIABLE, endpoint.UI_PORT_VARIABLE)]
    raise typer.Exit(applications.serve(settings, [int(fd) for fd in inherited if fd is not None], which))


def code_server() -> None:
    """Serve the graphs as a Dagster code location (gRPC)."""
    from headrace_cli.serve import dagster_home

    settings = load_settings()
    dagster_home.ensure(settings)
    from definitions.location import code_location as service
    from headrace_cli.serve import operation

    with operation.code_server(settings):
        raise typer.Exit(service.main(settings))


def daemon() -> None:
    """Run Dagster's daemons and submit accepted runs."""
    from headrace_cli.serve import dagster_home

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
    from headrace_cli.serve import dagster_home

    settings = load_settings()
    dagster_home.ensure(settings)
    from definitions.location import webserver as service
    from headrace_cli.up import endpoint

    inherited = os.environ.get(endpoint.UI_VARIABLE)
    raise typer.Exit(service.main(settings, None if inherited is None else int(inherited)))


def run_job(
    run_id: Annotated[str, typer.Argument(help="The run to execute.")],
    worker: Annotated[int, typer.Option("--worker", help="Which of the run's workers this is, from 0.")] = 0,
) -> None:
    """Execute one run in this process; what the pod of a run does."""
    from headrace_cli.serve import run_job as process

    raise typer.Exit(process.execute(run_id, worker))


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
    _end_at_once()
    settings = load_settings()
    from headrace_cli.serve import preparation

    preparation.await_schema(settings, patience)


def cluster_secrets() -> None:
    """Make the secrets of a trial installation in the cluster that this pod is in, unless they exist."""
    _end_at_once()
    from headrace_cli.home.configuration import read_settings
    from headrace_cli.serve import cluster_secrets as task

    task.make(read_settings())


def _end_at_once() -> None:
    """SIGTERM ends this process, which has nothing to finish."""
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def serve_template(context: typer.Context) -> None:
    """Load the code of all services and fork them for `headrace up`."""
    import socket

    from definitions.sandbox.process import protect_process
    from headrace_cli.serve.preload import preload
    from headrace_cli.up import endpoint, template
    from platform_core.operation import lifeline

    protect_process()
    preload()
    names = (lifeline.VARIABLE, endpoint.VARIABLE, endpoint.UI_VARIABLE, endpoint.UI_PORT_VARIABLE)
    inherited = [int(os.environ[name]) for name in names if name in os.environ]
    request = template.serve(socket.socket(fileno=int(os.environ[template.VARIABLE])), inherited)
    if request is not None:
        context.find_root().command.main(list(request.arguments))


PANELS: dict[str, list[Callable[..., None]]] = {
    "Server": [up, migrate],
    "Services (started by `up`, or by Kubernetes)": [
        api,
        trigger_api,
        stream,
        code_server,
        daemon,
        workers,
        ui,
        run_job,
    ],
    "Within `up` and pods": [prepare, await_schema, cluster_secrets, serve_template],
}
"""The commands of this module by the heading they are listed under."""
HIDDEN = frozenset(PANELS["Within `up` and pods"])
