"""Dagster's queue of runs, which also says for whom its UI ends a run.

Internal used: that Dagster's UI ends every run by the `cancel_run` of the instance's coordinator.
"""

from __future__ import annotations

import time
from contextlib import suppress

from dagster import DagsterRun, QueuedRunCoordinator

from definitions.instance.caller import CALLER
from definitions.instance.event_storage import event_storage_of
from definitions.instance.run_events import NewEvent
from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Author, Target, TargetKind
from platform_core.errors import RunNotFound
from platform_core.runs.run_store import get_run


class AttributedRunCoordinator(QueuedRunCoordinator):
    """Named by dagster.yaml in the place of the one that it is."""

    def cancel_run(self, run_id: str) -> bool:
        """As the parent; who wanted that in the UI is in the run's log and events, and in the audit log."""
        caller = CALLER.get()
        run = None if caller is None else self._instance.get_run_by_id(run_id)
        if caller is not None and run is not None and not run.is_finished:
            self._note(caller, run)
        return super().cancel_run(run_id)

    def _note(self, caller: Author, run: DagsterRun) -> None:
        said = f"{caller.name} ends the run in Dagster's UI."
        self._instance.report_engine_event(said, run)
        events = event_storage_of(self._instance)
        events.store_run_event(run.run_id, NewEvent(time.time(), "log", said))
        with suppress(RunNotFound), events.run_storage.transaction() as connection:
            found = get_run(connection, run.run_id)
            target = Target(TargetKind.RUN, found.run_id, found.graph, found.owner_id)
            record(connection, caller, Action.RUN_CANCELED, target, before={"status": found.status})
