"""Our process around Dagster's daemons: the run queue and the workspace are woken by NOTIFY, and only one leads.

Internals used: `daemon_controller_from_instance` with our own `gen_daemons`, as `dagster-daemon run` calls it.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
from dagster import DagsterInstance
from dagster._daemon.controller import create_daemon_of_type, daemon_controller_from_instance
from dagster._daemon.daemon import DagsterDaemon

from definitions.daemon.home_workspace import HomeWorkspace
from definitions.daemon.location_refresh import LocationRefresh
from definitions.daemon.notifications import Notifications
from definitions.daemon.retention import Retention
from definitions.daemon.run_queue import Turns, WokenRunQueue
from definitions.daemon.submission import Submission
from definitions.daemon.timer_scheduler import TimerScheduler
from definitions.execution.context import process_context
from definitions.instance.job_snapshots import remember_jobs
from definitions.shared import addresses, readiness
from platform_core import channels
from platform_core.audit.chain import seal
from platform_core.backoff import Backoff
from platform_core.database.engine import DatabaseError, Engine, plain_url, transaction
from platform_core.errors import Unavailable
from platform_core.loop import Loop
from platform_core.settings import Settings

if TYPE_CHECKING:
    from definitions.daemon.supervision import KubernetesSupervision

QUEUE_INTERVAL = 2.0
RETENTION_INTERVAL = 60.0
SEAL_INTERVAL = 2.0
"""Seconds that a row of the audit log has no place in its chain, at most."""
_LEADER_KEY = 0x48656164
"""Key of the advisory lock that the leading daemon holds ("Head")."""
_CHECK = 1.0
_logger = logging.getLogger("headrace.daemon")


def main(settings: Settings) -> int:
    """Run the daemons until SIGTERM or SIGINT; the exit code. A second daemon waits until the first is gone."""
    assert settings.database_url is not None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with psycopg.connect(plain_url(settings.database_url), autocommit=True) as leadership:
        if _lead(leadership, stop):
            remember_jobs()
            if settings.code_server_host is not None:
                # The queue needs no code location, so a code server that is away holds it up only shortly.
                addresses.wait_for_code_server(settings, patience=5.0)
            with DagsterInstance.get() as instance:
                return _run(settings, instance, leadership, stop)
    return 0


def _lead(connection: psycopg.Connection[tuple[object, ...]], stop: threading.Event) -> bool:
    is_reported = False
    while not stop.is_set():
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LEADER_KEY,)).fetchone()
        if row is not None and row[0]:
            return True
        if not is_reported:
            _logger.warning("Another daemon leads; this one waits for its end.")
            is_reported = True
        stop.wait(_CHECK)
    return False


def _run(
    settings: Settings,
    instance: DagsterInstance,
    leadership: psycopg.Connection[tuple[object, ...]],
    stop: threading.Event,
) -> int:
    assert settings.database_url is not None
    process = process_context()
    engine = process.engine
    retention = Retention(settings, engine, instance, process.spilled_values)
    queue = WokenRunQueue(QUEUE_INTERVAL, Turns(settings, engine), Submission(settings, engine, instance))
    timers = TimerScheduler(settings, engine, instance)
    own: dict[str, DagsterDaemon[Any]] = {queue.daemon_type(): queue, timers.daemon_type(): timers}

    def daemons(instance: DagsterInstance) -> Iterator[DagsterDaemon[Any]]:
        for kind in instance.get_required_daemon_types():
            yield own.get(kind) or create_daemon_of_type(kind, instance)

    supervision = _supervision(settings, instance)
    workspace = HomeWorkspace(settings)
    with daemon_controller_from_instance(instance, workspace, gen_daemons=daemons, log_format="colored") as controller:
        refresh = LocationRefresh(controller, settings, process_context().keys)
        on_notify = {channels.QUEUE: _both(queue.wake, timers.run_ended)}
        on_notify |= {channels.GRAPHS: refresh.request, channels.TIMERS: timers.wake}
        notifications = Notifications(
            settings.database_url,
            (channels.QUEUE, channels.GRAPHS, channels.TIMERS),
            lambda channel: on_notify[channel](),
        )
        sweeps = Loop(
            "retention",
            lambda: retention.sweep(sweeps.closing),
            every=RETENTION_INTERVAL,
            away=(*DatabaseError, Unavailable),
            backoff=Backoff(RETENTION_INTERVAL, 10 * RETENTION_INTERVAL),
        )
        sealing = Loop("audit", lambda: _seal(engine), every=SEAL_INTERVAL, away=(*DatabaseError, Unavailable))
        loops = process.loops
        loops.start(
            notifications.loop, refresh.loop, sweeps, sealing, *(supervision.loops if supervision is not None else ())
        )
        process.measures.leads.set(1)
        readiness.report(settings.home, "daemon")
        try:
            while not stop.wait(_CHECK):
                controller.check_daemon_threads()
                leadership.execute("SELECT 1")
                if dead := loops.dead():
                    _logger.error("Ended by a defect: %s; starting again.", ", ".join(dead))
                    return 1
        except psycopg.OperationalError:
            _logger.warning("Lost the database, and with it the lead; starting again.")
            return 1
        finally:
            process.measures.leads.set(0)
            queue.wake()
            sweeps.close()
            sealing.close()
            timers.wake()
            notifications.loop.close()
            refresh.loop.close()
            if supervision is not None:
                supervision.close()
    return 0


def _seal(engine: Engine) -> None:
    with transaction(engine) as connection:
        seal(connection)


def _both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def call() -> None:
        first()
        second()

    return call


def _supervision(settings: Settings, instance: DagsterInstance) -> KubernetesSupervision | None:
    if settings.launcher != "kubernetes":
        return None
    from definitions.daemon.kubernetes_launcher import KubernetesRunLauncher
    from definitions.daemon.supervision import KubernetesSupervision

    launcher, process = instance.run_launcher, process_context()
    assert isinstance(launcher, KubernetesRunLauncher)
    return KubernetesSupervision(settings, process.engine, instance, launcher, process.measures)
