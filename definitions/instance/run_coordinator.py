"""Dagster's queue of runs, which also says for whom its UI ends a run.

Internal used: that Dagster's UI ends every run by the `cancel_run` of the instance's coordinator.
"""

from __future__ import annotations

import time

from dagster import QueuedRunCoordinator

from definitions.instance.caller import CALLER
from definitions.instance.event_storage import event_storage_of
from definitions.instance.run_events import NewEvent


class AttributedRunCoordinator(QueuedRunCoordinator):
    """Named by dagster.yaml in the place of the one that it is."""

    def cancel_run(self, run_id: str) -> bool:
        """As the parent; a run that is ended in the UI has it in its log and events who wanted that."""
        caller = CALLER.get()
        run = None if caller is None else self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            said = f"{caller} ends the run in Dagster's UI."
            self._instance.report_engine_event(said, run)
            event_storage_of(self._instance).store_run_event(run_id, NewEvent(time.time(), "log", said))
        return super().cancel_run(run_id)
