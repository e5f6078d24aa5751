"""Removes ended runs when their graph's `settings.retention` has passed: from the store, from Dagster, from disk.

What is too old of the audit log goes with them.
"""

from __future__ import annotations

import logging
import math
import threading
import time

from dagster import DagsterInstance

from definitions.daemon.abandoned_uploads import remove_abandoned
from definitions.services.spilled_values import SpilledValues
from graph_compiler.values.durations import parse_duration
from platform_core.audit import chain
from platform_core.database.engine import DatabaseError, Engine, reading, transaction
from platform_core.errors import Unavailable
from platform_core.runs.retention_store import KeptVersion, delete_runs, expired_runs, versions_with_retention
from platform_core.runs.upload_store import remove_uploads
from platform_core.settings import Settings

BATCH = 50
ABANDONED_EVERY = 3600.0
"""Seconds between two looks for files whose run never came to be."""
_logger = logging.getLogger("headrace.retention")


Failure = tuple[str, Exception]
"""A run's id, and why it could not be removed."""


class RunsKept(Exception):
    """Runs could not be removed."""


class Retention:
    """What outlives its retention is removed by `sweep`; doing it twice, or being killed in between, does no harm.

    Our row of a run goes last, so that a sweep that was interrupted is taken up by the next.
    """

    def __init__(self, settings: Settings, engine: Engine, instance: DagsterInstance, spilled: SpilledValues) -> None:
        self._settings = settings
        self._engine = engine
        self._instance = instance
        self._spilled = spilled
        self._looked_for_uploads = -math.inf

    def sweep(self, stop: threading.Event) -> int:
        """Remove all runs that are due, until `stop` is set; how many there were.

        Raises `RunsKept` in the end if some could not be removed, which the next sweep tries again.
        """
        with reading(self._engine) as connection:
            versions = versions_with_retention(connection)
        removed, failures = 0, []
        for kept in versions:
            count, failed = self._sweep_version(kept, stop)
            removed += count
            failures += failed
        if time.monotonic() - self._looked_for_uploads >= ABANDONED_EVERY:
            remove_abandoned(self._settings, self._engine, stop)
            self._looked_for_uploads = time.monotonic()
        self._forget_audit(stop)
        if removed:
            _logger.info("Removed %s runs past their retention.", removed)
        if failures:
            run_id, error = failures[0]
            raise RunsKept(f"{len(failures)} runs past their retention stay, the first is {run_id}: {error}") from error
        return removed

    def _forget_audit(self, stop: threading.Event) -> None:
        count = chain.BATCH
        while count == chain.BATCH and not stop.is_set():
            with transaction(self._engine) as connection:
                count = chain.forget(connection, self._settings.audit_retention)

    def _sweep_version(self, kept: KeptVersion, stop: threading.Event) -> tuple[int, list[Failure]]:
        """How many runs were removed, and those that could not be; after a batch of such it leaves the version."""
        seconds = parse_duration(kept.retention)
        removed, failed = 0, list[Failure]()
        while not stop.is_set() and len(failed) < BATCH:
            with reading(self._engine) as connection:
                left = [run_id for run_id, _ in failed]
                run_ids = expired_runs(connection, kept.graph_id, kept.version, seconds, BATCH, left)
            if not run_ids:
                break
            gone = [run_id for run_id in run_ids if self._removes(kept, run_id, failed)]
            with transaction(self._engine) as connection:
                delete_runs(connection, gone)
            removed += len(gone)
        return removed, failed

    def _removes(self, kept: KeptVersion, run_id: str, failed: list[Failure]) -> bool:
        """Remove what the run has outside of our tables; a run that cannot be removed keeps no other one."""
        try:
            self._spilled.delete(run_id)
            remove_uploads(self._settings, kept.owner, run_id)
            if self._instance.has_run(run_id):
                self._instance.delete_run(run_id)
        except (*DatabaseError, Unavailable):
            raise  # says nothing about the run
        except Exception as error:
            failed.append((run_id, error))
            return False
        return True
