"""Launching: params checked against the version, then the run accepted in one transaction."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

from graph_compiler.language.params import apply
from graph_compiler.values.binary import as_plain
from platform_core.database.engine import Connection, transaction
from platform_core.errors import InvalidParams, RunNotFound
from platform_core.graphs.graph_store import Graph
from platform_core.identity.auth import Principal
from platform_core.identity.ticket_store import issue_ticket
from platform_core.runs.run_store import NewRun, Run, accept_run, find_run, get_run, retry_of
from platform_core.web.services import Services
from trigger_api.runs.schemas import Launch, LaunchItem
from trigger_api.shared.graph_access import SpecCache, find_graph


@dataclass(frozen=True)
class Launched:
    """An accepted run, whether it is new, and tickets for a stream and for the watch page if they were asked for."""

    run: Run
    is_new: bool
    ticket: str | None = None
    watch_ticket: str | None = None


def launch(
    services: Services,
    specs: SpecCache,
    principal: Principal,
    reference: str,
    wanted: Launch,
    key: str | None,
    fingerprint: str | None = None,
    run_id: str | None = None,
) -> Launched:
    """Accept a run, once per idempotency key; `fingerprint` is the request's if `wanted` is not all of it.

    A new run has `run_id`, if one is given.

    Raises `GraphNotFound`, `VersionNotFound`, `InvalidParams`, `IdempotencyKeyReused` and `Unavailable`.
    """
    with transaction(services.engine) as connection:
        graph = find_graph(connection, principal, reference)
        run, is_new = _accept(connection, specs, graph, wanted, key, fingerprint or _fingerprint(wanted), run_id)
        tickets: tuple[str, ...] = ()
        if wanted.live_monitoring:
            tickets = tuple(issue_ticket(connection, principal.user_id, run.run_id) for _ in range(2))
    if is_new:
        services.metrics.accepted_runs.labels("manual").inc()
    return Launched(run, is_new, *tickets)


def retry(services: Services, principal: Principal, run_id: str, start: str, key: str | None) -> Launched:
    """Accept a new run in place of an ended one, once per idempotency key.

    Raises `RunNotFound`, `RunNotFinished`, `RunSucceeded`, `IdempotencyKeyReused` and `Unavailable`.
    """
    with transaction(services.engine) as connection:
        parent = get_run(connection, run_id)
        if not principal.may_see(parent.owner_id):
            raise RunNotFound(f"There is no run {run_id}.")
        fingerprint = hashlib.sha256(f"retry {run_id} {start}".encode()).hexdigest()
        first = None if key is None else find_run(connection, parent.graph_id, key, fingerprint)
        if first is not None:
            return Launched(first, False, None)
        new = retry_of(connection, parent, start)
        run, is_new = accept_run(connection, replace(new, idempotency_key=key, request_sha256=key and fingerprint))
    if is_new:
        services.metrics.accepted_runs.labels("manual").inc()
    return Launched(run, is_new, None)


def _accept(
    connection: Connection,
    specs: SpecCache,
    graph: Graph,
    wanted: Launch,
    key: str | None,
    fingerprint: str,
    run_id: str | None,
) -> tuple[Run, bool]:
    if key is not None:
        # Before the params are checked: since the first request the graph may have changed, the answer may not.
        first = find_run(connection, graph.id, key, fingerprint)
        if first is not None:
            return first, False
    new = new_run(connection, specs, graph, wanted, wanted.version or graph.version)
    return accept_run(connection, replace(new, run_id=run_id, idempotency_key=key, request_sha256=key and fingerprint))


def new_run(connection: Connection, specs: SpecCache, graph: Graph, wanted: LaunchItem, version: int) -> NewRun:
    """The run that is wanted, of this version. Raises `VersionNotFound` and `InvalidParams`."""
    spec = specs.spec(connection, graph.id, version)
    params, issues = apply(spec, wanted.params)
    if issues:
        raise InvalidParams("The params do not fit the graph.", [issue.as_dict() for issue in issues])
    return NewRun(
        graph_id=graph.id,
        version=version,
        owner_id=graph.owner_id,
        params=as_plain(params),
        trigger_kind="manual",
        tags=wanted.tags,
        priority=spec.settings.priority,
    )


def _fingerprint(wanted: Launch) -> str:
    """What makes two requests the same; asking for a ticket does not make them differ."""
    content = wanted.model_dump(exclude={"live_monitoring"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
