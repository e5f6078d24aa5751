"""The process of a run pod: executes one run, in a fresh interpreter, and ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from types import FrameType

from dagster import DagsterInstance, DagsterRunStatus

from definitions.execution.context import ProcessContext, process_context
from definitions.execution.current_run import CurrentRun
from definitions.execution.engine_run import EngineRuns
from definitions.execution.output_limits import OutputLimits
from definitions.instance.event_storage import PooledEventStorage
from definitions.instance.run_events import NewEvent
from definitions.sandbox import process as operating_system
from definitions.shared.patience import read_patiently
from definitions.workers import lean_imports
from definitions.workers.letting_go import goes_on_elsewhere
from definitions.workers.run_claim import RunClaim, RunClaimed
from definitions.workers.run_output import RunOutput
from graph_engine.journal.records import run_error
from platform_core.database.engine import plain_url
from platform_core.runs.supervision_store import awaits_worker, is_cancel_requested
from platform_core.settings import Settings

TERMINATED = "pod_terminated"
LET_GO = 128 + signal.SIGTERM
"""Exit code of a pod that leaves its run to another."""
MESSAGE = "The run's pod was asked to end: it was deleted or evicted, or its node is going away."
_logger = logging.getLogger("headrace.pod")


class RunPod:
    """One run in this process."""

    def __init__(
        self, process: ProcessContext, instance: DagsterInstance, current: CurrentRun, worker: int = 0
    ) -> None:
        self._process = process
        self._instance = instance
        self._current = current
        self._run_id = current.run_id
        self._worker = worker
        self._limits = OutputLimits()
        self._engine = EngineRuns(process, instance)
        storage = instance.event_log_storage
        assert isinstance(storage, PooledEventStorage)
        self._storage = storage

    def execute(self) -> None:
        """Execute the run unless it has ended, or another pod has it."""
        database_url = self._process.settings.database_url
        assert database_url is not None
        signal.signal(signal.SIGTERM, self._on_signal)
        self._process.interpreter.start()
        try:
            with RunClaim(plain_url(database_url), self._run_id):
                self._execute_claimed()
        except RunClaimed:
            _logger.warning("Run %s is executed by another pod.", self._run_id)
        finally:
            self._engine.close()
            self._process.interpreter.close()

    def end(self) -> None:
        """End the run, since it was canceled or for a cause of the cluster's, which fails it."""
        try:
            is_canceled = self._is_canceled()
        except Exception:
            _logger.exception("It is not known whether run %s was canceled.", self._run_id)
            is_canceled = False
        if is_canceled:
            self._current.stop()
        elif goes_on_elsewhere(self._process.engine, self._run_id):
            _logger.warning("Run %s is let go: this pod is to end, and another goes on with it.", self._run_id)
            os._exit(LET_GO)
        else:
            self._current.stop("FAILURE", run_error(TERMINATED, MESSAGE))

    def _execute_claimed(self) -> None:
        if not self._is_its_turn():
            _logger.warning("Run %s is not this pod's to execute.", self._run_id)
            return
        output = RunOutput(self._tell, lambda: self._current.masking)
        try:
            self._engine.execute(self._current)
        finally:
            output.close()

    def _is_its_turn(self) -> bool:
        """Whether the run waits for this worker of it; a Job may make another pod for one that was deleted."""
        run = self._instance.get_run_by_id(self._run_id)
        if run is None or run.is_finished:
            return False
        if self._worker == 0:
            return run.status in (DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED)
        return read_patiently(
            self._process.engine, lambda connection: awaits_worker(connection, self._run_id, self._worker)
        )

    def _tell(self, stream: str, text: str) -> None:
        level = "info" if stream == "stdout" else "warning"
        for event in self._limits.pass_on(NewEvent(time.time(), stream, text, level=level), len(text)):
            if not self._engine.tell(event):
                self._storage.store_run_event(self._run_id, event)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        threading.Thread(target=self.end, name="ending", daemon=True).start()

    def _is_canceled(self) -> bool:
        run = self._instance.get_run_by_id(self._run_id)
        if run is None:
            return False
        if run.status in (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED):
            return True
        if not read_patiently(self._process.engine, lambda connection: is_cancel_requested(connection, self._run_id)):
            return False
        # The daemon has not come so far; unless it is known to be canceled, Dagster calls an interrupted run failed.
        self._instance.report_run_canceling(run)
        return True


def main(settings: Settings, run_id: str, worker: int = 0) -> int:
    """Execute the run as this worker of it; the exit code, which is 0 also of a run that fails."""
    operating_system.protect_process()
    lean_imports.collect()
    # A pod that starts while the database restarts waits for it; the instance would give up at once.
    read_patiently(process_context().engine, lambda _: None)
    with DagsterInstance.get() as instance:
        _logger.info("Ready %.2f s after the process began.", operating_system.age())
        RunPod(process_context(), instance, CurrentRun(run_id), worker).execute()
    return 0
