"""The run queue, woken instead of sleeping: runs whose turn it is are launched, lost launches are repeated.

Runs wait in our table and are chosen there (definitions/daemon/queue_policy.py). Dagster's own queue only
holds what its UI starts. Internals used: `QueuedRunCoordinatorDaemon` and its `core_loop`, which by default looks
every few seconds.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._daemon.daemon import DaemonIterator, SpanMarker
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._utils.error import serializable_error_info_from_exc_info

from definitions.daemon.queue_policy import GraphVersion, Limits, choose
from definitions.daemon.submission import Submission
from definitions.workers.run_launcher import WarmRunLauncher
from platform_core.database.engine import Connection, Engine, reading
from platform_core.runs.execution_store import read_documents
from platform_core.runs.queue_store import (
    WaitingRun,
    list_due,
    list_waiting,
    read_load,
    seconds_until_due,
    waiting_by_graph,
)
from platform_core.settings import Settings

REST = 0.02
"""Seconds between looks that begin nothing of what waits: each of many that are accepted meanwhile wakes the queue."""
IDLE_INTERVAL = 10.0
"""Seconds between looks while no run waits or is executed: a new one wakes the queue, and so does a connection that
was lost and is there again."""
LOST_AFTER = 4.0
"""Seconds after which a run that is STARTING and that no worker holds is sent to the pool again."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Ids of the runs that begin now, in order, of those that go on after a wait, and of those to cancel."""

    run_ids: Sequence[str]
    woken: Sequence[str]
    to_cancel: Sequence[str]
    is_dagsters: bool
    """Whether runs wait in Dagster's own queue."""
    is_starting: bool
    """Whether runs that were launched before have not begun."""
    is_idle: bool
    """Whether no run waits for its turn or is executed."""
    is_held_back: bool
    """Whether runs wait, and none of them begins now."""
    due_in: float | None
    """Seconds until the next run that waits for a time goes on."""


class Turns:
    """Says which runs begin now. Remembers the limits of graph versions, which never change."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._graph_limits: dict[GraphVersion, int | None] = {}

    def next(self) -> Turn:
        """What is to be done now."""
        with reading(self._engine) as connection:
            load = read_load(connection)
            free = self._settings.max_concurrent_runs - load.runs
            due = list_due(connection, free) if free > 0 else []
            due_in = seconds_until_due(connection)
            waiting = list_waiting(connection, free) if free > 0 else []
            limits = self._limits(connection, waiting)
            limited = {run.graph_id for run in waiting if (run.graph_id, run.version) in limits.graphs}
            if limited:
                load.graphs.update(waiting_by_graph(connection, limited))
        chosen = choose([*due, *waiting], load, limits)
        return Turn(
            run_ids=[run.run_id for run in chosen if not run.is_woken],
            woken=[run.run_id for run in chosen if run.is_woken],
            to_cancel=load.to_cancel,
            is_dagsters=load.queued > 0,
            is_starting=load.starting > 0,
            is_idle=not load.runs and not waiting and not due,
            is_held_back=not chosen and (free <= 0 or bool(waiting or due)),
            due_in=due_in,
        )

    def _limits(self, connection: Connection, waiting: Iterable[WaitingRun]) -> Limits:
        unknown = {(run.graph_id, run.version) for run in waiting} - self._graph_limits.keys()
        if unknown:
            for version, document in read_documents(connection, sorted(unknown)).items():
                self._graph_limits[version] = _limit_of(document)
        known = self._graph_limits
        graphs = {version: limit for version, limit in known.items() if limit is not None}
        return Limits(self._settings.max_concurrent_runs, self._settings.max_concurrent_runs_per_user, graphs)


def _limit_of(document: str) -> int | None:
    """Of a stored document, which was checked; one that cannot be read fails when its run is launched."""
    try:
        limit = json.loads(document).get("settings", {}).get("max_concurrent_runs")
    except (ValueError, AttributeError):
        return None
    return limit if isinstance(limit, int) else None


class WokenRunQueue(QueuedRunCoordinatorDaemon):
    """The queue's daemon; `wake()` makes it look at once, otherwise it looks every `interval_seconds`."""

    def __init__(self, interval_seconds: float, turns: Turns, submission: Submission) -> None:
        super().__init__(interval_seconds)
        self._turns = turns
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
            is_held_back, pause = True, self.interval_seconds
            try:
                turn = yield from self._look(workspace_process_context)
                is_held_back = turn.is_held_back
                pause = _pause(turn, self.interval_seconds)
            except Exception:
                error = serializable_error_info_from_exc_info(sys.exc_info())
                self._logger.error("The run queue failed: %s", error)
                yield error
                self._wake.wait(1.0)
            yield SpanMarker.END_SPAN
            if is_held_back:
                shutdown_event.wait(REST)
            self._rest(pause, shutdown_event)
            yield None

    def _rest(self, seconds: float, shutdown: threading.Event) -> None:
        """Wait to be woken, for the end of the daemon, or for so long."""
        until = time.monotonic() + seconds
        while not shutdown.is_set() and (left := until - time.monotonic()) > 0:
            if self._wake.wait(min(left, self.interval_seconds)):
                return

    def _look(self, context: IWorkspaceProcessContext[Any]) -> Generator[Any, None, Turn]:
        """Begin what can begin."""
        turn = self._turns.next()
        self._submission.cancel(turn.to_cancel)
        self._submission.wake(turn.woken)
        self._submission.start(turn.run_ids)
        yield None
        if turn.is_dagsters:
            yield from self.run_iteration(context)
        if turn.is_starting and time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + LOST_AFTER
            repeat_lost_launches(context.instance)
        return turn


def _pause(turn: Turn, interval: float) -> float:
    """Seconds until the next look, if nothing wakes the queue; a run that is due and has no slot waits for one."""
    pause = IDLE_INTERVAL if turn.is_idle else interval
    return pause if turn.due_in is None else max(0.0, min(pause, turn.due_in))


def repeat_lost_launches(instance: DagsterInstance) -> None:
    """Send the runs again whose launch got lost with a pool, a daemon or a worker that died before it began."""
    launcher = instance.run_launcher
    if not isinstance(launcher, WarmRunLauncher):
        return
    for record in instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.STARTING])):
        age = time.time() - record.update_timestamp.timestamp()
        if age > LOST_AFTER and not launcher.is_executing(record.dagster_run.run_id):
            launcher.send(record.dagster_run.run_id)
