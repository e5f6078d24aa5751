"""The process of a run pod: executes one run, in a fresh interpreter, and ends.

Internal used: `_execute_run_command_body`, the body of `dagster api execute_run`.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from dagster import DagsterInstance, DagsterRunStatus
from dagster._cli.api import _execute_run_command_body

from definitions.execution.context import ProcessContext, process_context
from definitions.execution.current_run import CurrentRun
from definitions.execution.engine_run import EngineRuns, Taken
from definitions.execution.output_limits import OutputLimits
from definitions.instance.event_storage import PooledEventStorage
from definitions.instance.run_events import NewEvent
from definitions.instance.run_loss import RunLost
from definitions.sandbox import process as operating_system
from definitions.shared.masking import Masking
from definitions.shared.patience import read_patiently
from definitions.workers import lean_imports
from definitions.workers.run_claim import RunClaim, RunClaimed
from definitions.workers.run_output import RunOutput
from platform_core.database.engine import plain_url
from platform_core.runs.supervision_store import is_cancel_requested
from platform_core.settings import Settings

TERMINATED = "pod_terminated"
_logger = logging.getLogger("headrace.pod")


class RunPod:
    """One run in this process."""

    def __init__(self, process: ProcessContext, instance: DagsterInstance, run_id: str) -> None:
        self._process = process
        self._instance = instance
        self._current = CurrentRun(run_id)
        self._run_id = run_id
        self._limits = OutputLimits()
        self._engine = EngineRuns(process, instance)
        self._is_by_steps = process.settings.engine != "engine"
        storage = instance.event_log_storage
        assert isinstance(storage, PooledEventStorage)
        self._storage = storage

    def execute(self) -> None:
        """Execute the run unless it has ended, or another pod has it."""
        database_url = self._process.settings.database_url
        assert database_url is not None
        self._storage.buffer()
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
        message = "The run's pod was asked to end: it was deleted or evicted, or its node is going away."
        if self._is_by_steps:
            self._process.cancellation.request(None if is_canceled else RunLost(TERMINATED, message))
        elif is_canceled:
            self._current.stop()
        else:
            self._current.stop("FAILURE", {"kind": TERMINATED, "message": message, "node": None})

    def _execute_claimed(self) -> None:
        run = self._instance.get_run_by_id(self._run_id)
        if run is None or run.status not in (DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED):
            _logger.warning("Run %s is not to be started: %s.", self._run_id, run and run.status.value)
            return
        output = RunOutput(self._tell, self._masking)
        try:
            # In the main thread Dagster would put its own handlers in the place of ours.
            with ThreadPoolExecutor(1, thread_name_prefix="run") as thread:
                thread.submit(self._execute_on_thread).result()
        finally:
            output.close()
            self._storage.flush()

    def _execute_on_thread(self) -> None:
        if self._process.settings.engine == "engine" and self._engine.execute(self._current) is not Taken.NOT_OURS:
            return
        self._is_by_steps = True
        self._current.on_stop(lambda *_: self._process.cancellation.request())
        _execute_run_command_body(self._run_id, self._instance, _ignore, False)

    def _masking(self) -> Masking:
        return self._process.masking if self._is_by_steps else self._current.masking

    def _tell(self, stream: str, text: str) -> None:
        level = "info" if stream == "stdout" else "warning"
        for event in self._limits.pass_on(NewEvent(time.time(), stream, text, level=level), len(text)):
            if self._is_by_steps or not self._engine.tell(event):
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
        self._storage.flush()
        return True


def _ignore(_: object) -> None:
    """What Dagster would write to its parent's pipe."""


def main(settings: Settings, run_id: str) -> int:
    """Execute the run; the exit code, which is 0 also of a run that fails."""
    operating_system.protect_process()
    lean_imports.collect()
    # A pod that starts while the database restarts waits for it; the instance would give up at once.
    read_patiently(process_context().engine, lambda _: None)
    with DagsterInstance.get() as instance:
        _logger.info("Ready %.2f s after the process began.", operating_system.age())
        RunPod(process_context(), instance, run_id).execute()
    return 0
