"""Dagster's event storage on the pooled engine: a record is one round trip, in commit order per run.

In a run worker `buffer()` puts an `EventWriter` in between, so that steps never wait for the database. Internals used:
`_event_to_row` of SqlEventLogStorage, and `handles_run_events_in_store_event`, by which a storage says that it also
changes the run's status: event, status and our own row then commit as one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from dagster import DagsterInstance
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS, DagsterEventType
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._time import datetime_from_timestamp
from dagster_postgres import PostgresEventLogStorage

from definitions.instance.event_statement import NewValue, Record, build
from definitions.instance.event_writer import EventWriter
from definitions.instance.run_events import NewEvent, StatusChange, status_change, to_run_event
from definitions.instance.run_storage import PooledRunStorage
from definitions.shared.patience import PATIENCE
from graph_compiler.running.naming import step_place
from platform_core.database.engine import Connection, DatabaseError, Engine

_TOLD = frozenset({"node.skipped", "node.failed", "node.retrying"})
_ENDS = frozenset({"node.succeeded", "node.retrying"})


_NOISE = frozenset({DagsterEventType.LOADED_INPUT, DagsterEventType.STEP_INPUT, DagsterEventType.HANDLED_OUTPUT})


def _is_noise(event: EventLogEntry) -> bool:
    """What Dagster tells of the values of each item of a `foreach`: half of its events, and nobody reads them."""
    if event.dagster_event_type not in _NOISE or event.step_key is None:
        return False
    found = step_place(event.step_key)
    return found.item is not None or found.role in ("expand", "collect")


class PooledEventStorage(PostgresEventLogStorage):
    """Writes Dagster's log and the run's events, values, outputs and status together."""

    def __init__(self, url: str, engine: Engine, run_storage: PooledRunStorage) -> None:
        super().__init__(url, should_autocreate_tables=False)
        self._engine.dispose()
        self._engine = engine
        self._run_storage = run_storage
        self._writer: EventWriter | None = None
        self._told: set[tuple[str, str | None, int | None]] = set()

    @property
    def handles_run_events_in_store_event(self) -> bool:
        return True

    @property
    def run_storage(self) -> PooledRunStorage:
        """The storage that shares this one's transactions."""
        return self._run_storage

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The engine is pooled already."""

    def buffer(self) -> None:
        """From now on write through a thread; only for a process that executes runs."""
        if self._writer is None:
            self._writer = EventWriter(self._commit)

    def flush(self) -> None:
        """Return when everything stored so far is committed."""
        if self._writer is not None:
            self._writer.flush()

    def dispose_connections(self) -> None:
        """Close the pool's connections, which all three storages share."""
        self._engine.dispose()

    def store_event(self, event: EventLogEntry) -> None:
        if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS | ASSET_CHECK_EVENTS:
            self.flush()
            # PostgresEventLogStorage would NOTIFY with a bound parameter, which only psycopg 2 can.
            SqlEventLogStorage.store_event(self, event)
            return
        if event.is_dagster_event and _is_noise(event):
            return
        record = Record(log=self._event_to_row(event), event=self._untold(event.run_id, to_run_event(event)))
        change = status_change(event)
        if change is None:
            self._put(event.run_id, record)
        else:
            self.flush()
            self._commit_change(event, record, change)

    def store_run_event(self, run_id: str, event: NewEvent, entry: EventLogEntry | None = None) -> None:
        """An event of ours, and the entry that shows it in Dagster's log, if it is to be seen there."""
        if event.type in _TOLD:
            self._told.add((run_id, event.node, event.item))
        self._put(run_id, Record(log=None if entry is None else self._event_to_row(entry), event=event))

    def _untold(self, run_id: str, event: NewEvent | None) -> NewEvent | None:
        """The event of Dagster's, unless the node itself has told its end already."""
        if event is None or event.type not in _ENDS:
            return event
        key = (run_id, event.node, event.item)
        if key not in self._told:
            return event
        self._told.discard(key)
        return None

    def store_value(self, run_id: str, value: NewValue, events: Sequence[NewEvent]) -> None:
        """A node's output value, and the events that show it."""
        self._put(run_id, Record(value=value, event=events[0] if events else None))
        for event in events[1:]:
            self._put(run_id, Record(event=event))

    def store_outputs(self, run_id: str, outputs: str) -> None:
        """The run's outputs as JSON text; seen by nobody before the run has ended."""
        self._put(run_id, Record(outputs=outputs))

    def read_value(self, run_id: str, step: str, port: str) -> NewValue:
        """A stored output value. Raises `KeyError` if there is none."""
        query = "SELECT value, location FROM headrace.run_values WHERE run_id = %s AND step = %s AND port = %s"
        with self._connect() as connection:
            row = connection.exec_driver_sql(query, (run_id, step, port)).fetchone()
        if row is None:
            raise KeyError(f"{step}.{port} of run {run_id}")
        return NewValue(step, port, row[0], row[1])

    def _connect(self) -> AbstractContextManager[Connection]:
        self.flush()
        return self._run_storage.connect()

    def _put(self, run_id: str, record: Record) -> None:
        if self._writer is not None:
            self._writer.put(run_id, record)
        else:
            self._commit(run_id, [record])

    def _commit(self, run_id: str, records: Sequence[Record]) -> None:
        statement, parameters = build(run_id, uuid.uuid4().hex, records, None, time.time())

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
        """Commit, and again while the database is away: the batch's token makes it harmless if a lost answer was yes.

        Within a transaction of the caller it is the caller who begins again.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                commit()
                return
            except DatabaseError:
                if self._run_storage.is_joined or time.monotonic() > deadline:
                    raise


def event_storage_of(instance: DagsterInstance) -> PooledEventStorage:
    """The instance's event storage. Raises TypeError for an instance whose storage is not Headrace's."""
    storage = instance.event_log_storage
    if not isinstance(storage, PooledEventStorage):
        raise TypeError("Headrace's jobs need Headrace's storage; point DAGSTER_HOME at a Headrace home.")
    return storage
