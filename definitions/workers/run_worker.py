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
from definitions.execution.current_run import CurrentRun
from definitions.execution.engine_run import EngineRuns, Taken
from definitions.instance.event_storage import event_storage_of
from definitions.instance.run_loss import RunLost
from definitions.shared import addresses
from definitions.workers.run_lock import RunLock, RunTaken
from definitions.workers.worker_control import CancelReceiver

DONE = b"done\n"
TERMINATED = "worker_terminated"
MESSAGE = "The run's worker was asked to end: its pool is being stopped or started again."
_logger = logging.getLogger("headrace.worker")


class RunWorker:
    """Executes the runs whose ids come through `channel`, one line each, and answers each with `DONE`."""

    def __init__(self, instance: DagsterInstance, process: ProcessContext, channel: socket.socket) -> None:
        self._instance = instance
        self._process = process
        self._channel = channel
        self._folder: Path = addresses.run_folder(process.settings.home)
        self._current: CurrentRun | None = None
        self._is_by_steps = False
        self._lock = threading.Lock()
        self._storage = event_storage_of(instance)
        self._engine = EngineRuns(process, instance)

    def serve(self) -> None:
        """Until the pool closes the channel, the worker has done its share, or a run leaves something behind."""
        self._process.cancellation.loss = RunLost(TERMINATED, MESSAGE)
        signal.signal(signal.SIGTERM, lambda *_: self._end_all())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._storage.buffer()
        receiver = CancelReceiver(self._folder, os.getpid(), self._cancel)
        threads = threading.active_count()
        try:
            with self._channel.makefile("rb") as lines:
                for number, line in enumerate(lines, 1):
                    self._execute(line.strip().decode())
                    is_spent = number >= self._process.settings.runs_per_worker or self._is_unfit(threads)
                    self._answer(is_spent)
                    if is_spent:
                        return
        finally:
            receiver.close()
            self._engine.close()
            self._process.interpreter.close()

    def _is_unfit(self, threads: int) -> bool:
        """Whether a run left something behind, or this worker was asked to end."""
        cancellation = self._process.cancellation
        if cancellation.requested.is_set() or cancellation.was_requested or self._engine.has_stuck_threads:
            return True
        # Threads of the engine end by themselves once they are free.
        return self._is_by_steps and threading.active_count() > threads + 1

    def _end_all(self) -> None:
        """The worker is to end: so does its run."""
        self._process.cancellation.interrupt()
        current = self._current  # without the lock, which this very thread may hold
        if current is not None:
            current.stop("FAILURE", {"kind": TERMINATED, "message": MESSAGE, "node": None})

    def _answer(self, is_spent: bool) -> None:
        try:
            self._channel.sendall(b"spent\n" if is_spent else DONE)
        except OSError:
            _logger.info("The pool is gone; this worker ends.")

    def _execute(self, run_id: str) -> None:
        # Known before the lock is held: who cancels finds this worker by the lock.
        current = self._begin(run_id)
        try:
            with RunLock(self._folder, run_id):
                if self._process.settings.engine != "engine" or self._engine.execute(current) is Taken.NOT_OURS:
                    self._execute_steps(current)
                self._storage.flush()
        except RunTaken:
            _logger.info("Run %s is executed by another worker.", run_id)
        finally:
            self._end()

    def _execute_steps(self, current: CurrentRun) -> None:
        """As Dagster executes a run: what the engine cannot, or the settings ask for."""
        self._is_by_steps = True
        current.on_stop(lambda *_: self._process.cancellation.request())
        if self._is_startable(current.run_id):
            _execute_run_command_body(current.run_id, self._instance, lambda _: None, False)

    def _is_startable(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        return run is not None and run.status == DagsterRunStatus.STARTING

    def _begin(self, run_id: str) -> CurrentRun:
        current = CurrentRun(run_id)
        with self._lock:
            self._current = current
            self._is_by_steps = False
        return current

    def _end(self) -> None:
        with self._lock:
            self._current = None
            cancellation = self._process.cancellation
            if cancellation.requested.is_set() or cancellation.was_requested:
                return
            self._process.cancellation.reset()

    def _cancel(self, run_id: str) -> None:
        with self._lock:
            if self._current is not None and run_id == self._current.run_id:
                self._current.stop()
