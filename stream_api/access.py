"""Who may follow a run and from where: decided once, in one short transaction, before the first byte is sent."""

from __future__ import annotations

from dataclasses import dataclass

from platform_core.auth import Principal, authenticate
from platform_core.database import Connection, transaction
from platform_core.errors import BadCursor, RunNotFound, Unauthorized
from platform_core.run_event_store import parse_cursor
from platform_core.run_store import Run, get_run
from platform_core.ticket_store import redeem_ticket
from platform_core.web.services import Services

SCOPE = "runs:read"


@dataclass(frozen=True)
class Credentials:
    """What a client brings: a bearer token or API key, else a ticket for this run."""

    bearer: str | None = None
    ticket: str | None = None


def find_start(services: Services, credentials: Credentials, run_id: str, cursor: str | None) -> int | None:
    """The seq behind which the run is to be followed, or None when the client has seen its final event.

    Raises `Unauthorized`, `TokenExpired`, `Forbidden`, `RunNotFound` (also for a run of somebody else), `BadCursor`
    (also for one ahead of a run that goes on) and `Unavailable`.
    """
    with transaction(services.engine) as connection:
        principal = _identify(services, connection, credentials, run_id)
        principal.demand(SCOPE)
        after = parse_cursor(cursor)
        run = _visible_run(connection, principal, run_id)
    if run.has_ended:
        return after if after < run.last_seq else None
    if after > run.last_seq:
        raise BadCursor(f"Cursor {after} lies ahead of the run, whose last event is {run.last_seq}.")
    return after


def _identify(services: Services, connection: Connection, credentials: Credentials, run_id: str) -> Principal:
    if credentials.bearer is not None:
        return authenticate(connection, services.keys, credentials.bearer)
    if credentials.ticket is not None:
        return redeem_ticket(connection, credentials.ticket, run_id)
    raise Unauthorized("This needs a bearer token, or a ticket as ?ticket=.")


def _visible_run(connection: Connection, principal: Principal, run_id: str) -> Run:
    # PostgreSQL text cannot hold NUL, so no run is called so.
    run = None if "\0" in run_id else get_run(connection, run_id)
    if run is None or not principal.may_see(run.owner_id):
        raise RunNotFound(f"There is no run {run_id}.")
    return run
