"""Removes ended runs when their graph's `settings.retention` has passed: from the store, from Dagster, from disk."""

from __future__ import annotations

import logging
import threading

from dagster import DagsterInstance

from definitions.services.spilled_values import SpilledValues
from graph_compiler.values.durations import parse_duration
from platform_core.database.engine import DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.runs.retention_store import KeptVersion, delete_runs, expired_runs, versions_with_retention
from platform_core.runs.upload_store import remove_uploads
from platform_core.settings import Settings

BATCH = 50
_STOP_TIMEOUT = 30.0
_logger = logging.getLogger("headrace.retention")


class Retention:
    """What outlives its retention is removed by `sweep`; doing it twice, or being killed in between, does no harm.

    Our row of a run goes last, so that a sweep that was interrupted is taken up by the next.
    """

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance, spilled: SpilledValues) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance
        self._spilled = spilled

    def sweep(self, stop: threading.Event) -> int:
        """Remove all runs that are due, until `stop` is set; how many there were."""
        with reading(self._engine) as connection:
            versions = versions_with_retention(connection)
        removed = 0
        for kept in versions:
            seconds = parse_duration(kept.retention)
            while not stop.is_set() and (count := self._sweep_version(kept, seconds)):
                removed += count
        return removed

    def _sweep_version(self, kept: KeptVersion, seconds: float) -> int:
        with reading(self._engine) as connection:
            run_ids = expired_runs(connection, kept.graph_id, kept.version, seconds, BATCH)
        for run_id in run_ids:
            self._spilled.delete(run_id)
            remove_uploads(self._settings, kept.owner, run_id)
            if self._instance.has_run(run_id):
                self._instance.delete_run(run_id)
        if run_ids:
            with transaction(self._engine) as connection:
                delete_runs(connection, run_ids)
        return len(run_ids)


class RetentionThread:
    """Sweeps at once and then every `interval` seconds until `close()`."""

    def __init__(self, retention: Retention, interval: float) -> None:
        self._retention = retention
        self._interval = interval
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join(_STOP_TIMEOUT)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                removed = self._retention.sweep(self._closing)
            except (*DatabaseError, Unavailable, OSError):
                _logger.exception("Runs past their retention could not be removed; trying again later.")
            else:
                if removed:
                    _logger.info("Removed %s runs past their retention.", removed)
            self._closing.wait(self._interval)
