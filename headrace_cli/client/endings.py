"""How runs end: waited for, shown live, and reported with an exit code."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import typer

from headrace_cli.terminal.event_lines import printable
from headrace_cli.terminal.exit_codes import ExitCode
from headrace_cli.terminal.terminal import note, say_json
from platform_core.facts.run_status import RunStatus

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

ENDS = {
    RunStatus.SUCCESS: ExitCode.OK,
    RunStatus.FAILURE: ExitCode.FAILED,
    RunStatus.CANCELED: ExitCode.CANCELED,
}
"""The statuses a run ends with, and the exit code that says so."""


def show_to_end(client: Client, run_id: str, *, as_json: bool) -> None:
    from headrace_cli.client.follow import follow
    from headrace_cli.terminal.progress import choose_progress

    """Show the run live until it ends. Ctrl-C leaves the run as it is and exits with 130."""
    try:
        with choose_progress(as_json=as_json) as progress:
            for event in follow(client, run_id):
                progress.show(event)
    except KeyboardInterrupt:
        note(f"The run goes on. `headrace logs --follow {run_id}` shows it again, `headrace cancel {run_id}` ends it.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def ends_within(client: Client, run_id: str, seconds: float) -> bool:
    """Whether the run ends in time."""
    from headrace_cli.client.follow import Silence, follow

    try:
        for _ in follow(client, run_id, until=time.monotonic() + seconds):
            pass
    except Silence:
        return bool(get_run(client, run_id)["status"] in ENDS)
    return True


def report_end(client: Client, run_id: str, *, as_json: bool) -> ExitCode:
    """Print how an ended run ended, and its outputs to stdout."""
    ended = get_run(client, run_id)
    outputs = client.get(f"runs/{run_id}/outputs")["outputs"] if ended["status"] == RunStatus.SUCCESS else None
    if as_json:
        say_json({**ended, "outputs": outputs})
    else:
        error = f": {printable(ended['error']['message'])}" if ended["error"] else ""
        note(f"{ended['status']}{error}")
        if outputs is not None:
            say_json(outputs)
    return ENDS[ended["status"]]


def get_run(client: Client, run_id: str) -> dict[str, Any]:
    """The run as the server answers it."""
    from headrace_cli.client.client import segment

    answer: dict[str, Any] = client.get(f"runs/{segment(run_id)}")
    return answer
