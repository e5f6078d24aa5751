"""A run worker: a forked, warmed process that executes one run at a time, and several before it is replaced.

Users' code never runs in it. It outlives its pool: with the pool gone it ends its run and then itself.
Internal used: `_execute_run_command_body`, the body of `dagster api execute_run`, which Kubernetes' run pods call too.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from pathlib import Path

from dagster import DagsterInstance, DagsterRunStatus
from dagster._cli.api import _execute_run_command_body

from definitions.execution.context import ProcessContext
from definitions.instance.event_storage import event_storage_of
from definitions.shared import addresses
from definitions.workers.run_lock import RunLock, RunTaken
from definitions.workers.worker_control import CancelReceiver

DONE = b"done\n"
_logger = logging.getLogger("headrace.worker")


class RunWorker:
    """Executes the runs whose ids come through `channel`, one line each, and answers each with `DONE`."""

    def __init__(self, instance: DagsterInstance, process: ProcessContext, channel: socket.socket) -> None:
        self._instance = instance
        self._process = process
        self._channel = channel
        self._folder: Path = addresses.run_folder(process.settings.home)
        self._current: str | None = None
        self._lock = threading.Lock()
        self._storage = event_storage_of(instance)

    def serve(self) -> None:
        """Until the pool closes the channel, the worker has done its share, or a run leaves something behind."""
        signal.signal(signal.SIGTERM, lambda *_: self._process.cancellation.request())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._storage.buffer()
        receiver = CancelReceiver(self._folder, os.getpid(), self._cancel)
        self._process.interpreter.start()
        threads = threading.active_count()
        try:
            with self._channel.makefile("rb") as lines:
                for number, line in enumerate(lines, 1):
                    self._execute(line.strip().decode())
                    is_spent = (
                        number >= self._process.settings.runs_per_worker
                        or threading.active_count() > threads + 1
                        or self._process.cancellation.requested.is_set()
                        or self._process.cancellation.was_requested
                    )
                    self._answer(is_spent)
                    if is_spent:
                        return
        finally:
            receiver.close()
            self._process.interpreter.close()

    def _answer(self, is_spent: bool) -> None:
        try:
            self._channel.sendall(b"spent\n" if is_spent else DONE)
        except OSError:
            _logger.info("The pool is gone; this worker ends.")

    def _execute(self, run_id: str) -> None:
        # Known before the lock is held: who cancels finds this worker by the lock.
        self._begin(run_id)
        try:
            with RunLock(self._folder, run_id):
                if self._is_startable(run_id):
                    _execute_run_command_body(run_id, self._instance, lambda _: None, False)
                self._storage.flush()
        except RunTaken:
            _logger.info("Run %s is executed by another worker.", run_id)
        finally:
            self._end()

    def _is_startable(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and run.status == DagsterRunStatus.STARTING

    def _begin(self, run_id: str) -> None:
        with self._lock:
            self._current = run_id

    def _end(self) -> None:
        with self._lock:
            self._current = None
            cancellation = self._process.cancellation
            if cancellation.requested.is_set() or cancellation.was_requested:
                return
            self._process.cancellation.reset()

    def _cancel(self, run_id: str) -> None:
        with self._lock:
            if run_id == self._current:
                self._process.cancellation.request()
