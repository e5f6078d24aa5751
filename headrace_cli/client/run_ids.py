"""Runs named on the command line: by id, by the beginning of one, or as the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode

if TYPE_CHECKING:
    from headrace_cli.client.client import Client

LAST = "@last"
_WHOLE = 36
"""Characters of an id."""
_SHORTEST = 4
_MOST = 2000
"""Runs that are looked at for a beginning."""


def full_id(client: Client, text: str) -> str:
    """The id of the one run that is meant; an id is taken as it is. Raises `CommandError`."""
    if text == LAST:
        newest = [run["run_id"] for run in client.items("runs", 1)]
        if not newest:
            raise CommandError(
                "There are no runs.", hint="`headrace run GRAPH` starts one.", exit_code=ExitCode.REFUSED
            )
        return str(newest[0])
    if len(text) >= _WHOLE:
        return text
    if len(text) < _SHORTEST:
        hint = f"Give at least {_SHORTEST} characters, or {LAST} for the newest run."
        raise CommandError(f"{text!r} is too short for the beginning of a run's id.", hint=hint)
    found = [
        str(run["run_id"]) for run in client.items("runs", _MOST, q=text) if run["run_id"].startswith(text.lower())
    ]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:5]) + (", ..." if len(found) > 5 else "")
        raise CommandError(f"{len(found)} runs begin with {text}: {shown}.", hint="Give more of the id.")
    hint = "`headrace runs` lists the runs you may see."
    raise CommandError(f"No run begins with {text}.", hint=hint, exit_code=ExitCode.REFUSED)
