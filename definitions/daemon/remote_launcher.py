"""The run launcher of processes that may not speak to the cluster: launching and cancelling is the daemon's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from definitions.execution.context import process_context
from platform_core.database.engine import transaction
from platform_core.errors import RunEnded, RunNotFound
from platform_core.runs.run_store import request_cancel


class RemoteRunLauncher(RunLauncher[Any], ConfigurableClass):
    """Of Dagster's UI, the code server and run pods."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]  # Dagster does not annotate it

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> RemoteRunLauncher:
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Nothing here: supervision launches a run that is STARTING and has no Job, as when an API server was away."""

    def terminate(self, run_id: str) -> bool:
        """Ask the daemon; False if the run has ended."""
        try:
            with transaction(process_context().engine) as connection:
                request_cancel(connection, run_id)
        except (RunEnded, RunNotFound):
            return False
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return False

    def check_run_worker_health(self, run: object) -> CheckRunHealthResult:
        return CheckRunHealthResult(WorkerStatus.UNKNOWN)
