"""Follows a run with the Python client; what it raises becomes an error of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.client import Client as EventClient
from headrace.client import Refused as EventsRefused
from headrace.client import Silence, StreamBroken, Unreachable
from headrace_cli.client import Client, Refused, unreachable
from headrace_cli.errors import CommandError
from headrace_cli.exit_codes import ExitCode

__all__ = ["Silence", "follow"]

_PATIENCE = 60.0
"""Seconds without an answer after which following is given up."""


def follow(
    client: Client, run_id: str, *, quiet_for: float | None = None, until: float | None = None
) -> Iterator[dict[str, Any]]:
    """The run's events from its first to its final one.

    Raises `Silence` when nothing came for `quiet_for` seconds or when the monotonic clock passes `until`, `Refused`
    for a run that is not there, and `CommandError` when the server stays away for a minute.
    """
    events = EventClient(client.server.url, client.server.token, patience=_PATIENCE, http=client.http)
    try:
        yield from events.follow(run_id, quiet_for=quiet_for, until=until)
    except EventsRefused as refused:
        raise Refused(refused.status, refused.problem) from refused
    except Unreachable as error:
        raise unreachable(client.server, error) from error
    except StreamBroken as error:
        raise CommandError(f"The stream of run {run_id} is broken: {error}.", exit_code=ExitCode.BROKEN) from error
