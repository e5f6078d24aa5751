"""The `headrace` command: all commands together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from typer.models import CommandInfo

from headrace_cli.commands import (
    access,
    completion,
    deliveries,
    doctor,
    files,
    graphs,
    launch,
    login,
    runs,
    services,
    tests,
    triggers,
    trying,
    versions,
    waits,
)
from headrace_cli.commands.audit import audit_app
from headrace_cli.commands.secrets import secret_app
from headrace_cli.terminal.help_text import PanelGroup
from headrace_cli.terminal.terminal import say

app = typer.Typer(
    name="headrace",
    cls=PanelGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # to load it takes longer than all the rest of a command
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

_PANELS: dict[str, list[Callable[..., None]]] = {
    "Graphs": [
        graphs.apply,
        graphs.validate,
        tests.run_tests,
        graphs.graphs,
        versions.get,
        versions.versions,
        versions.diff,
        graphs.delete,
        graphs.schema,
    ],
    "Runs": [
        launch.run,
        trying.try_node,
        runs.logs,
        runs.runs,
        runs.show,
        runs.outputs,
        files.download,
        runs.cancel,
        runs.retry,
        waits.waits,
        waits.approve,
        waits.reject,
        waits.signal,
    ],
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
    "Access": [login.login, login.logout, access.token, access.open_],
    "This command": [doctor.doctor, completion.completion],
}
_NAMES = {
    triggers.next_times: "next",
    access.open_: "open",
    services.serve_template: "template",
    tests.run_tests: "test",
    trying.try_node: "try",
}
"""Commands that cannot be called what they are in Python."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        say(f"headrace {version('headrace')}")
        raise typer.Exit


@app.callback()
def headrace(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Graphs of nodes as documents, run as Dagster jobs, watched live."""


for panel, functions in (_PANELS | services.PANELS).items():
    for function in functions:
        name = _NAMES.get(function, function.__name__.replace("_", "-"))
        hidden = function in services.HIDDEN
        PanelGroup.described[name] = CommandInfo(name, callback=function, rich_help_panel=panel, hidden=hidden)
app.add_typer(secret_app, name="secret", rich_help_panel="Access")
app.add_typer(access.user_app, name="user", rich_help_panel="Access")
app.add_typer(audit_app, name="audit", rich_help_panel="Access")
