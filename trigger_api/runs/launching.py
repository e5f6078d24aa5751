"""Launching: params checked against the version, then the run accepted in one transaction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Self

from fastapi import Depends

from graph_compiler.language.params import apply
from graph_compiler.values.binary import as_plain
from platform_core.audit.entry import Action
from platform_core.database.engine import Connection, reading, transaction
from platform_core.errors import InvalidParams, RunNotFound
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.identity.auth import Principal
from platform_core.identity.ticket_store import issue_ticket
from platform_core.runs.run_store import NewRun, Run, accept_run, find_run, get_run, retry_of
from platform_core.web.dependencies import ServicesDep
from platform_core.web.origin import Origin
from platform_core.web.services import Services
from trigger_api.live.state import StateDep
from trigger_api.runs.schemas import Launch, LaunchItem
from trigger_api.shared.graph_access import Opened, SpecCache


@dataclass(frozen=True)
class Launched:
    """An accepted run, whether it is new, and tickets for a stream and for the watch page if they were asked for."""

    run: Run
    is_new: bool
    ticket: str | None = None
    watch_ticket: str | None = None


@dataclass(frozen=True)
class Once:
    """What makes requests the same one: the caller's idempotency key, if any, and the digest of what is asked for."""

    key: str | None
    fingerprint: str

    @classmethod
    def of(cls, key: str | None, wanted: Launch) -> Self:
        """Of a launch; asking for a ticket does not make two of them differ."""
        content = wanted.model_dump(exclude={"live_monitoring"})
        return cls(key, hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest())

    def earlier(self, connection: Connection, graph_id: str) -> Run | None:
        """The run that the request was answered with before. Raises `IdempotencyKeyReused`."""
        return None if self.key is None else find_run(connection, graph_id, self.key, self.fingerprint)

    def mark(self, new: NewRun) -> NewRun:
        """The run, to be found by the request."""
        return replace(new, idempotency_key=self.key, request_sha256=self.key and self.fingerprint)


@dataclass(frozen=True)
class Launcher:
    """Accepts runs, each request's once."""

    services: Services
    specs: SpecCache

    def launch(
        self,
        identify: Callable[[Connection], Principal],
        origin: Origin,
        reference: str,
        wanted: Launch,
        once: Once,
        run_id: str | None = None,
    ) -> Launched:
        """Accept a run of whom `identify` finds; a new one has `run_id`, if that is given.

        All is one statement after another on one connection, of which only that which accepts the run changes
        anything; tickets share its transaction.

        Raises `GraphNotFound`, `VersionNotFound`, `InvalidParams`, `IdempotencyKeyReused`, `Unavailable`, and what
        `identify` does.
        """
        scope = transaction if wanted.live_monitoring else reading
        with scope(self.services.engine) as connection:
            principal = identify(connection)
            opened = self.specs.open_version(connection, principal, reference, wanted.version)
            # Before the params are checked: since the first request the graph may have changed, the answer may not.
            run, is_new = once.earlier(connection, opened.graph.id), False
            if run is None:
                new = replace(new_run(opened, wanted), run_id=run_id)
                run, is_new = accept_run(connection, once.mark(new), origin.deed(principal, Action.RUN_LAUNCHED))
            tickets: tuple[str, ...] = ()
            if wanted.live_monitoring:
                tickets = tuple(issue_ticket(connection, principal.user_id, run.run_id) for _ in range(2))
        return self._counted(Launched(run, is_new, *tickets))

    def retry(self, principal: Principal, origin: Origin, run_id: str, start: str, key: str | None) -> Launched:
        """Accept a new run in place of an ended one.

        Raises `RunNotFound`, `RunNotFinished`, `RunSucceeded`, `IdempotencyKeyReused` and `Unavailable`.
        """
        once = Once(key, hashlib.sha256(f"retry {run_id} {start}".encode()).hexdigest())
        with transaction(self.services.engine) as connection:
            parent = get_run(connection, run_id)
            if not principal.may_see(parent.owner_id):
                raise RunNotFound(f"There is no run {run_id}.")
            run, is_new = once.earlier(connection, parent.graph_id), False
            if run is None:
                new, deed = retry_of(connection, parent, start), origin.deed(principal, Action.RUN_RETRIED)
                run, is_new = accept_run(connection, once.mark(new), deed)
        return self._counted(Launched(run, is_new))

    def _counted(self, launched: Launched) -> Launched:
        if launched.is_new:
            self.services.metrics.accepted_runs.labels(TriggerKind.MANUAL).inc()
        return launched


async def _launcher(services: ServicesDep, state: StateDep) -> Launcher:
    return Launcher(services, state.specs)


LauncherDep = Annotated[Launcher, Depends(_launcher)]


def new_run(opened: Opened, wanted: LaunchItem) -> NewRun:
    """The run that is wanted, of this version. Raises `InvalidParams`."""
    params, issues = apply(opened.spec, wanted.params)
    if issues:
        raise InvalidParams("The params do not fit the graph.", [issue.as_dict() for issue in issues])
    return NewRun(
        graph_id=opened.graph.id,
        version=opened.version,
        owner_id=opened.graph.owner_id,
        params=as_plain(params),
        trigger_kind=TriggerKind.MANUAL,
        tags=wanted.tags,
        priority=opened.spec.settings.priority,
    )
