"""Dagster's run storage on the pooled engine, which also knows each Dagster run's Headrace run.

Internals used: `_engine` and `connect()` of PostgresRunStorage; `has_run_stats_index_cols` and its like, which
reflect the schema on every call and never change once the database is migrated; the tag of a retry from failure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from dagster import DagsterRun
from dagster._core.storage.tags import RESUME_RETRY_TAG
from dagster_postgres import PostgresRunStorage

from definitions.instance.caller import CALLER
from definitions.shared.names import GRAPH_ID_TAG, VERSION_TAG
from definitions.shared.patience import patient_read, patiently
from definitions.shared.pinning import pinned
from graph_compiler.language.issues import Issue
from graph_compiler.language.params import apply
from graph_compiler.language.spec import GraphSpec
from platform_core.database.engine import Connection, Engine
from platform_core.errors import InvalidParams
from platform_core.runs.execution_store import AdoptedRun, adopt_run, read_version
from platform_core.runs.run_store import FROM_FAILURE, FROM_START, LAUNCHED_BY

T = TypeVar("T")


class PooledRunStorage(PostgresRunStorage):
    """Runs in the pool's engine; a run that Dagster's UI starts is pinned to its version and gets its Headrace row."""

    def __init__(self, url: str, engine: Engine) -> None:
        super().__init__(url, should_autocreate_tables=False)
        self._engine.dispose()
        self._engine = engine
        self._joined = threading.local()
        self._has_stats: bool | None = None
        self._has_backfill: bool | None = None

    def connect(self) -> AbstractContextManager[Connection]:
        joined: Connection | None = getattr(self._joined, "connection", None)
        return _borrowed(joined) if joined is not None else patiently(self._engine)

    @property
    def is_joined(self) -> bool:
        """Whether this thread is within `transaction()`."""
        return getattr(self._joined, "connection", None) is not None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Within, all statements of this thread belong to one transaction; an inner one joins the outer one."""
        if self.is_joined:
            yield self._joined.connection
            return
        with patiently(self._engine) as pooled:
            connection = pooled.execution_options(isolation_level="READ COMMITTED")
            with connection.begin():
                self._joined.connection = connection
                try:
                    yield connection
                finally:
                    self._joined.connection = None

    def optimize_for_webserver(self, statement_timeout: int, pool_recycle: int, max_overflow: int) -> None:
        """The engine is pooled already."""

    def fetchall(self, query: Any) -> Sequence[Any]:
        return self._read(lambda: super(PooledRunStorage, self).fetchall(query))

    def fetchone(self, query: Any) -> Any:
        return self._read(lambda: super(PooledRunStorage, self).fetchone(query))

    def _read(self, read: Callable[[], T]) -> T:
        # Within a transaction that was lost nothing can be read again.
        return read() if self.is_joined else patient_read(read)

    def has_run_stats_index_cols(self) -> bool:
        if self._has_stats is None:
            self._has_stats = patient_read(super().has_run_stats_index_cols)
        return self._has_stats

    def has_backfill_id_column(self) -> bool:
        if self._has_backfill is None:
            self._has_backfill = patient_read(super().has_backfill_id_column)
        return self._has_backfill

    def add_run(self, dagster_run: DagsterRun) -> DagsterRun:
        """Raises `InvalidParams` for a run of Dagster's UI whose params do not fit its graph."""
        if self.is_joined:  # it is the queue's, whose row is there
            return super().add_run(pinned(dagster_run))
        with self.transaction() as connection:
            run = super().add_run(pinned(_attributed(dagster_run)))
            _adopt(connection, run)
        return run


def _attributed(run: DagsterRun) -> DagsterRun:
    """The run with the tag of who launches it, which nobody else can have set."""
    tags = {key: value for key, value in run.tags.items() if key != LAUNCHED_BY}
    caller = CALLER.get()
    return run.with_tags(tags if caller is None else {**tags, LAUNCHED_BY: caller.name or ""})


def _adopt(connection: Connection, run: DagsterRun) -> None:
    graph_id, version = run.tags.get(GRAPH_ID_TAG), run.tags.get(VERSION_TAG)
    if graph_id is None or version is None:
        return
    config: Any = run.run_config
    given = config.get("resources", {}).get("runtime", {}).get("config", {}).get("params")
    params, issues = given, list[Issue]()
    if given is not None or run.parent_run_id is None:
        stored = read_version(connection, graph_id, int(version))
        params, issues = apply(GraphSpec.model_validate_json(stored.document), given or {})
    retry_from = FROM_FAILURE if run.tags.get(RESUME_RETRY_TAG) == "true" else FROM_START
    adopted = AdoptedRun(run.run_id, graph_id, int(version), params, run.parent_run_id, retry_from, CALLER.get())
    if adopt_run(connection, adopted) and issues:
        said = "; ".join(f"{issue.path}: {issue.message}" for issue in issues)
        raise InvalidParams(f"The params do not fit the graph: {said}.", [issue.as_dict() for issue in issues])


@contextmanager
def _borrowed(connection: Connection) -> Iterator[Connection]:
    yield connection
