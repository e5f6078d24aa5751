"""Who may follow what, and from where: decided once, in one short transaction, before the first byte is sent."""

from __future__ import annotations

from dataclasses import dataclass

from platform_core.database.engine import Connection, transaction
from platform_core.errors import BadCursor, Forbidden, GraphNotFound, RunNotFound
from platform_core.graphs.graph_store import resolve_graph
from platform_core.identity.auth import Principal
from platform_core.runs.run_event_store import parse_cursor
from platform_core.runs.run_store import Run, get_run
from platform_core.web.services import Services
from stream_api.serving.credentials import Credentials, identify
from stream_api.serving.rights import Demand

SCOPE = "runs:read"


@dataclass(frozen=True, slots=True)
class Admission:
    """A client that may follow: after which seq (None: it has seen the final event), the last seq, on what right."""

    principal: Principal
    credentials: Credentials
    after: int | None
    last: int
    demand: Demand


def admit(
    services: Services,
    run_id: str,
    cursor: str | None,
    *,
    bearer: str | None,
    ticket: str | None = None,
    session_id: str | None = None,
) -> Admission:
    """Let a client follow a run.

    Raises `Unauthorized`, `TokenExpired`, `Forbidden`, `RunNotFound` (also for a run of somebody else), `BadCursor`
    (also for one ahead of a run that goes on) and `Unavailable`.
    """
    with transaction(services.engine) as connection:
        principal, credentials = identify(
            connection, services.signing_keys, bearer=bearer, ticket=ticket, run_id=run_id, session_id=session_id
        )
        after, last, demand = find_start(connection, principal, credentials, run_id, cursor)
    return Admission(principal, credentials, after, last, demand)


def find_start(
    connection: Connection, principal: Principal, credentials: Credentials, run_id: str, cursor: str | None
) -> tuple[int | None, int, Demand]:
    """Where the run is to be followed from, its last seq, and what must go on being allowed. Raises as `admit`."""
    principal.demand(SCOPE)
    if credentials.run_id not in (None, run_id):
        raise Forbidden("These credentials are for one other run.")
    after = parse_cursor(cursor)
    run = visible_run(connection, principal, run_id)
    if run.has_ended:
        return (after if after < run.last_seq else None), run.last_seq, _may_see(run)
    if after > run.last_seq:
        raise BadCursor(f"Cursor {after} lies ahead of the run, whose last event is {run.last_seq}.")
    return after, run.last_seq, _may_see(run)


def visible_run(connection: Connection, principal: Principal, run_id: str) -> Run:
    """The run, if it exists for the principal. Raises `RunNotFound`."""
    # PostgreSQL text cannot hold NUL, so no run is called so.
    run = None if "\0" in run_id else get_run(connection, run_id)
    if run is None or not principal.may_see(run.owner_id):
        raise RunNotFound(f"There is no run {run_id}.")
    return run


def find_graph(connection: Connection, principal: Principal, reference: str) -> tuple[str, Demand]:
    """Id of the graph, and what the principal must go on being allowed. Raises `GraphNotFound`, `Forbidden`."""
    principal.demand(SCOPE)
    graph = None
    if "\0" not in reference:
        graph = resolve_graph(connection, principal.user_id, reference, principal.is_admin)
    if graph is None:
        raise GraphNotFound(f"There is no graph {reference}.")
    owner_id = graph.owner_id

    def demand(_connection: Connection, present: Principal) -> None:
        present.demand(SCOPE)
        if not present.may_see(owner_id):
            raise GraphNotFound(f"There is no graph {reference}.")

    return graph.id, demand


def may_read(_connection: Connection, principal: Principal) -> None:
    """The demand of everything that is one's own."""
    principal.demand(SCOPE)


def _may_see(run: Run) -> Demand:
    run_id, owner_id = run.run_id, run.owner_id

    def demand(_connection: Connection, principal: Principal) -> None:
        principal.demand(SCOPE)
        if not principal.may_see(owner_id):
            raise RunNotFound(f"There is no run {run_id}.")

    return demand
