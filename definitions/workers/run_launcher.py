"""Dagster's run launcher over the worker pool: launching is one message, terminating goes to the worker itself.

Launching never raises when the pool is away: the run stays STARTING and the queue daemon sends it again, which is
harmless, because a worker takes a run's lock and looks at its status before it does anything.

Internals used: `RunLauncher` as a base class, with what it is given and answers, and `ConfigurableClass`, by which
dagster.yaml names it.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import DagsterRun, DagsterRunStatus, Field, StringSource
from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from definitions.execution.context import process_context
from definitions.shared import addresses
from definitions.workers import run_lock
from definitions.workers.worker_control import request_cancel
from platform_core.database.engine import transaction
from platform_core.runs.supervision_store import has_begun, may_go_on

_TIMEOUT = 5.0
POOL_REPORTS = 4.0
"""Seconds that a pool has to say why a worker ended; the monitor looks every five."""
FORGOTTEN = 600.0
"""Seconds after which it is no longer known that a run was missed."""
_logger = logging.getLogger("headrace.launcher")


class WarmRunLauncher(RunLauncher[Any], ConfigurableClass):
    """Launches runs on the warm workers of this home; configured by `home` alone."""

    def __init__(self, home: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._home = Path(home)
        self._folder = addresses.run_folder(self._home)
        self._missed: dict[str, float] = {}
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster does not annotate it

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {"home": Field(StringSource)}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> WarmRunLauncher:
        return cls(config_value["home"], inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        self.send(context.dagster_run.run_id)

    def send(self, *run_ids: str) -> bool:
        """Hand runs to the pool by one message; False, and a line in the log, when it does not take them now."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_TIMEOUT)
                connection.connect(str(addresses.pool_socket(self._home)))
                connection.sendall("".join(f"{run_id}\n" for run_id in run_ids).encode())
                connection.shutdown(socket.SHUT_WR)
                taken = connection.recv(16) == b"ok\n"
        except OSError as error:
            names = ", ".join(run_ids)
            _logger.warning("The worker pool does not answer (%s); run %s is sent again later.", error, names)
            return False
        return taken

    def resume(self, run_id: str) -> bool:
        """Give a run that has lost its worker to another, if it may go on."""
        with transaction(process_context().engine) as connection:
            goes_on = may_go_on(connection, run_id)
        if goes_on:
            _logger.warning("Run %s has lost its worker and goes on in another.", run_id)
            self.send(run_id)
        return goes_on

    def is_executing(self, run_id: str) -> bool:
        """Whether a live worker holds the run."""
        return run_lock.worker_of(self._folder, run_id) is not None

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        if run.status != DagsterRunStatus.CANCELING:
            self._instance.report_run_canceling(run)
        pid = run_lock.worker_of(self._folder, run_id)
        if pid is not None and request_cancel(self._folder, pid, run_id):
            return True
        if run.status == DagsterRunStatus.SUSPENDED or self._has_begun(run_id):
            return self.send(run_id)  # it waits, or has lost its worker: another one ends it
        self._instance.report_run_canceled(run, "The run was canceled before it began.")
        return True

    def _has_begun(self, run_id: str) -> bool:
        with transaction(process_context().engine) as connection:
            return has_begun(connection, run_id)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        if self.is_executing(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        if self.resume(run.run_id) or self._is_news(run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its run worker is gone")

    def _is_news(self, run_id: str) -> bool:
        """Whether the run is missed only since now: its pool, which knows the signal, then says why it ended."""
        now = time.monotonic()
        self._missed = {known: since for known, since in self._missed.items() if now - since < FORGOTTEN}
        return now - self._missed.setdefault(run_id, now) < POOL_REPORTS
