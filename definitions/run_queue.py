"""Dagster's run queue, woken instead of sleeping: accepted runs go in, launches come out, lost launches are repeated.

Internals used: `QueuedRunCoordinatorDaemon` and its `core_loop`, which by default looks every few seconds.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.daemon import DaemonIterator, SpanMarker
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._utils.error import serializable_error_info_from_exc_info

from definitions.run_launcher import WarmRunLauncher
from definitions.submission import BATCH, Submission

LOST_AFTER = 4.0
"""Seconds after which a run that is STARTING and that no worker holds is sent to the pool again."""


class WokenRunQueue(QueuedRunCoordinatorDaemon):
    """The queue's daemon; `wake()` makes it look at once, otherwise it looks every `interval_seconds`."""

    def __init__(self, interval_seconds: float, submission: Submission) -> None:
        super().__init__(interval_seconds)
        self._submission = submission
        self._wake = threading.Event()
        self._next_check = 0.0

    def wake(self) -> None:
        self._wake.set()

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
    ) -> DaemonIterator:
        while not shutdown_event.is_set():
            self._wake.clear()
            yield SpanMarker.START_SPAN
            try:
                yield from self._look(workspace_process_context)
            except Exception:
                error = serializable_error_info_from_exc_info(sys.exc_info())
                self._logger.error("The run queue failed: %s", error)
                yield error
                self._wake.wait(1.0)
            yield SpanMarker.END_SPAN
            self._wake.wait(self.interval_seconds)
            yield None

    def _look(self, context: IWorkspaceProcessContext[Any]) -> DaemonIterator:
        self._submission.cancel_requested()
        while self._submission.submit_accepted() == BATCH:
            yield from self.run_iteration(context)
        yield from self.run_iteration(context)
        if time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + LOST_AFTER
            repeat_lost_launches(context.instance)


def repeat_lost_launches(instance: DagsterInstance) -> None:
    """Send the runs again whose launch got lost with a pool, a daemon or a worker that died before it began."""
    launcher = instance.run_launcher
    if not isinstance(launcher, WarmRunLauncher):
        return
    for record in instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTING])):
        age = time.time() - record.update_timestamp.timestamp()
        if age > LOST_AFTER and not launcher.is_executing(record.dagster_run.run_id):
            launcher.send(record.dagster_run.run_id)
