"""Dagster's event storage on the pooled engine: a record is one round trip, in commit order per run.

What the engine reports of a run it writes by itself (definitions/journal); this is for what else enters Dagster's log:
the daemon's, Dagster's own monitoring, its UI. Internals used:
`_event_to_row` of SqlEventLogStorage, and `handles_run_events_in_store_event`, by which a storage says that it also
changes the run's status: event, status and our own row then commit as one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager

from dagster import DagsterInstance
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._time import datetime_from_timestamp
from dagster_postgres import PostgresEventLogStorage

from definitions.instance.event_statement import NewValue, Record, build
from definitions.instance.run_events import NewEvent, StatusChange, status_change, to_run_event
from definitions.instance.run_storage import PooledRunStorage
from definitions.shared.patience import Patience
from platform_core.database.engine import Connection, DatabaseError, Engine


class PooledEventStorage(PostgresEventLogStorage):
    """Writes Dagster's log and the run's events, values, outputs and status together."""

    def __init__(self, url: str, engine: Engine, run_storage: PooledRunStorage) -> None:
        super().__init__(url, should_autocreate_tables=False)
        self._engine.dispose()
        self._engine = engine
        self._run_storage = run_storage

    @property
    def handles_run_events_in_store_event(self) -> bool:
        return True

    @property
    def run_storage(self) -> PooledRunStorage:
        """The storage that shares this one's transactions."""
        return self._run_storage

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The engine is pooled already."""

    def dispose_connections(self) -> None:
        """Close the pool's connections, which all three storages share."""
        self._engine.dispose()

    def store_event(self, event: EventLogEntry) -> None:
        if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS | ASSET_CHECK_EVENTS:
            # PostgresEventLogStorage would NOTIFY with a bound parameter, which only psycopg 2 can.
            SqlEventLogStorage.store_event(self, event)
            return
        record = Record(log=self._event_to_row(event), event=to_run_event(event))
        change = status_change(event)
        if change is None:
            self._commit(event.run_id, record)
        else:
            self._commit_change(event, record, change)

    def store_run_event(self, run_id: str, event: NewEvent) -> None:
        """An event of ours that Dagster's log does not show."""
        self._commit(run_id, Record(event=event))

    def read_value(self, run_id: str, step: str, port: str) -> NewValue:
        """A stored output value. Raises `KeyError` if there is none."""
        query = "SELECT value, location FROM headrace.run_values WHERE run_id = %s AND step = %s AND port = %s"
        with self._connect() as connection:
            row = connection.exec_driver_sql(query, (run_id, step, port)).fetchone()
        if row is None:
            raise KeyError(f"{step}.{port} of run {run_id}")
        return NewValue(step, port, row[0], row[1])

    def _connect(self) -> AbstractContextManager[Connection]:
        return self._run_storage.connect()

    def _commit(self, run_id: str, record: Record) -> None:
        statement, parameters = build(run_id, uuid.uuid4().hex, [record], None, time.time())

        def commit() -> None:
            with self._run_storage.connect() as connection:
                connection.exec_driver_sql(statement, parameters)

        self._persist(commit)

    def _commit_change(self, entry: EventLogEntry, record: Record, change: StatusChange) -> None:
        statement, parameters = build(entry.run_id, uuid.uuid4().hex, [record], change, entry.timestamp)

        def commit() -> None:
            with self._run_storage.transaction() as connection:
                answer = connection.exec_driver_sql(statement, parameters).one()
                if answer.is_foreign or answer.status == change.status:
                    self._run_storage.handle_run_event(
                        entry.run_id, entry.get_dagster_event(), datetime_from_timestamp(entry.timestamp)
                    )

        self._persist(commit)

    def _persist(self, commit: Callable[[], None]) -> None:
        """Commit, and again while what hinders it may pass: the batch's token makes a second time harmless.

        Within a transaction of the caller it is the caller who begins again.
        """
        trying = Patience()
        while True:
            try:
                commit()
                return
            except DatabaseError as error:
                if self._run_storage.is_joined or not trying.lasts(error):
                    raise


def event_storage_of(instance: DagsterInstance) -> PooledEventStorage:
    """The instance's event storage. Raises TypeError for an instance whose storage is not Headrace's."""
    storage = instance.event_log_storage
    if not isinstance(storage, PooledEventStorage):
        raise TypeError("Headrace's jobs need Headrace's storage; point DAGSTER_HOME at a Headrace home.")
    return storage
