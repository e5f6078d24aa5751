"""The `headrace` command: all commands together."""

from __future__ import annotations

from collections.abc import Callable

import typer

from headrace_cli.commands import access, deliveries, graphs, runs, services, triggers
from headrace_cli.commands.up import up

app = typer.Typer(
    name="headrace",
    help="Graphs of nodes as documents, run as Dagster jobs, watched live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_PANELS: dict[str, list[Callable[..., None]]] = {
    "Graphs": [graphs.apply, graphs.validate, graphs.graphs, graphs.schema],
    "Runs": [runs.run, runs.logs, runs.runs, runs.show, runs.cancel, runs.retry],
    "Webhooks": [deliveries.deliveries, deliveries.replay],
    "Triggers": [
        triggers.triggers,
        triggers.enable,
        triggers.disable,
        triggers.next_times,
        triggers.ticks,
        triggers.fire,
        triggers.backfill,
    ],
    "Access": [access.token],
    "Server": [up],
}
_NAMES = {triggers.next_times: "next"}
"""Commands that cannot be called what they are in Python."""
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(_NAMES.get(command), rich_help_panel=panel)(command)
app.add_typer(access.secret_app, name="secret", rich_help_panel="Access")
app.add_typer(access.user_app, name="user", rich_help_panel="Access")
services.add_to(app)
