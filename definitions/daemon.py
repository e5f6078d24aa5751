"""Our process around Dagster's daemons: the run queue and the workspace are woken by NOTIFY, and only one leads.

Internals used: `daemon_controller_from_instance` with our own `gen_daemons`, as `dagster-daemon run` calls it.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
from dagster import DagsterInstance
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.controller import create_daemon_of_type, daemon_controller_from_instance
from dagster._daemon.daemon import DagsterDaemon

from definitions import addresses, instance_files
from definitions.context import process_context
from definitions.location_refresh import LocationRefresh
from definitions.notifications import Notifications
from definitions.retention import Retention, RetentionThread
from definitions.run_queue import WokenRunQueue
from definitions.submission import Submission
from platform_core import channels
from platform_core.database import plain_url
from platform_core.settings import Settings

QUEUE_INTERVAL = 2.0
RETENTION_INTERVAL = 60.0
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
            # The queue needs no code location, so a code server that is away holds it up only shortly.
            addresses.wait_for_code_server(settings, patience=5.0)
            with DagsterInstance.get() as instance:
                return _run(settings, instance, leadership, stop)
    return 0


def _lead(connection: psycopg.Connection[tuple[object, ...]], stop: threading.Event) -> bool:
    is_told = False
    while not stop.is_set():
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LEADER_KEY,)).fetchone()
        if row is not None and row[0]:
            return True
        if not is_told:
            _logger.warning("Another daemon leads; this one waits for its end.")
            is_told = True
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
    queue = WokenRunQueue(QUEUE_INTERVAL, Submission(settings, process.engine, instance))
    retention = Retention(process.engine, instance, process.spilled_values)

    def daemons(instance: DagsterInstance) -> Iterator[DagsterDaemon[Any]]:
        for kind in instance.get_required_daemon_types():
            yield queue if kind == WokenRunQueue.daemon_type() else create_daemon_of_type(kind, instance)

    workspace = WorkspaceFileTarget([str(instance_files.workspace_file(settings))])
    with daemon_controller_from_instance(instance, workspace, gen_daemons=daemons, log_format="colored") as controller:
        refresh = LocationRefresh(controller, settings.ui_url)
        notifications = Notifications(
            settings.database_url,
            (channels.QUEUE, channels.GRAPHS),
            lambda channel: queue.wake() if channel == channels.QUEUE else refresh.request(),
        )
        notifications.start()
        sweeps = RetentionThread(retention, RETENTION_INTERVAL)
        try:
            while not stop.wait(_CHECK):
                controller.check_daemon_threads()
                leadership.execute("SELECT 1")
        except psycopg.OperationalError:
            _logger.warning("Lost the database, and with it the lead; starting again.")
            return 1
        finally:
            queue.wake()
            sweeps.close()
            notifications.close()
            refresh.close()
    return 0
