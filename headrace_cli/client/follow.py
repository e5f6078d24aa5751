"""Follows a run with the Python client; what it raises becomes an error of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.client import Client as EventClient
from headrace.client import Refused as EventsRefused
from headrace.client import Silence, StreamBroken, Unreachable
from headrace_cli.client.client import Client, Refused, unreachable
from headrace_cli.terminal.errors import CommandError
from headrace_cli.terminal.exit_codes import ExitCode

__all__ = ["Silence", "follow", "stored"]

_PATIENCE = 60.0
"""Seconds without an answer after which following is given up."""


def follow(client: Client, run_id: str, *, until: float | None = None) -> Iterator[dict[str, Any]]:
    """The run's events from its first to its final one.

    Raises `Silence` when the monotonic clock passes `until`, `Refused` for a run that is not there, and `CommandError`
    when the server stays away for a minute.
    """
    return _told(client, run_id, _events(client).follow(run_id, until=until))


def stored(client: Client, run_id: str) -> Iterator[dict[str, Any]]:
    """The run's events that there are now. Raises as `follow`."""
    return _told(client, run_id, _events(client).stored(run_id))


def _events(client: Client) -> EventClient:
    return EventClient(client.server.url, client.server.token, patience=_PATIENCE, http=client.http)


def _told(client: Client, run_id: str, events: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    try:
        yield from events
    except EventsRefused as refused:
        raise Refused(refused.status, refused.problem) from refused
    except Unreachable as error:
        raise unreachable(client.server, error) from error
    except StreamBroken as error:
        raise CommandError(
            f"The stream of run {run_id} is broken: {error}.",
            hint=f"`headrace logs {run_id}` shows what is stored; the server's log is HOME/logs/api.log.",
            exit_code=ExitCode.BROKEN,
        ) from error
