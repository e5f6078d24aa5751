"""A run worker: a forked, warmed process that executes one run at a time, and several before it is replaced.

Users' code never runs in it. It outlives its pool: with the pool gone it ends its run and then itself.
"""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import threading
from pathlib import Path

from dagster import DagsterInstance

from definitions.execution.context import ProcessContext
from definitions.execution.current_run import CurrentRun
from definitions.execution.engine_run import EngineRuns
from definitions.shared import addresses
from definitions.workers.letting_go import goes_on_elsewhere
from definitions.workers.run_lock import RunLock, RunTaken
from definitions.workers.worker_control import CancelReceiver
from graph_engine.journal.records import Error, Status, run_error

DONE = b"done\n"
TERMINATED = "worker_terminated"
MESSAGE = "The run's worker was asked to end: its pool is being stopped or started again."
MOST_GROWTH = 24 * 1024
"""KiB that a worker may have grown by a large run: memory that was used once is seldom given back."""
LOSS: tuple[Status, Error] = ("FAILURE", run_error(TERMINATED, MESSAGE))
"""What a run ends with that may not go on in another worker than the one that is asked to end."""
_logger = logging.getLogger("headrace.worker")


class RunWorker:
    """Executes the runs whose ids come through `channel`, one line each, and answers each with `DONE`."""

    def __init__(self, instance: DagsterInstance, process: ProcessContext, channel: socket.socket) -> None:
        self._process = process
        self._channel = channel
        self._folder: Path = addresses.run_folder(process.settings.home)
        self._current: CurrentRun | None = None
        self._is_ending = False
        self._lock = threading.Lock()
        self._engine = EngineRuns(process, instance)
        self._size = _most_memory()

    def serve(self) -> None:
        """Until the pool closes the channel, the worker has done its share, or a run leaves something behind."""
        signal.signal(signal.SIGTERM, lambda *_: self._end_all())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        receiver = CancelReceiver(self._folder, os.getpid(), self._cancel)
        try:
            with self._channel.makefile("rb") as lines:
                for number, line in enumerate(lines, 1):
                    self._execute(line.strip().decode())
                    is_spent = number >= self._process.settings.runs_per_worker or self._is_unfit
                    self._answer(is_spent)
                    if is_spent:
                        return
        finally:
            receiver.close()
            self._engine.close()
            self._process.interpreter.close()

    @property
    def _is_unfit(self) -> bool:
        """Whether a run left something behind, or this worker was asked to end."""
        has_grown = _most_memory() - self._size > MOST_GROWTH
        return self._is_ending or self._engine.has_stuck_threads or has_grown

    def _end_all(self) -> None:
        """The worker is to end: its run goes on in another one, or ends."""
        self._is_ending = True
        current = self._current  # without the lock, which this very thread may hold
        if current is not None:
            threading.Thread(target=self._let_go, args=(current,), name="ending", daemon=True).start()

    def _let_go(self, current: CurrentRun) -> None:
        if current.is_stopped:
            return
        if goes_on_elsewhere(self._process.engine, current.run_id):
            _logger.info("Run %s is let go: this worker is to end, and another goes on with it.", current.run_id)
            os._exit(0)
        current.stop(*LOSS)

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
                self._engine.execute(current)
        except RunTaken:
            _logger.info("Run %s is executed by another worker.", run_id)
        finally:
            self._end()

    def _begin(self, run_id: str) -> CurrentRun:
        current = CurrentRun(run_id)
        with self._lock:
            self._current = current
        if self._is_ending:
            current.stop(*LOSS)
        return current

    def _end(self) -> None:
        with self._lock:
            self._current = None

    def _cancel(self, run_id: str) -> None:
        with self._lock:
            if self._current is not None and run_id == self._current.run_id:
                self._current.stop()


def _most_memory() -> int:
    """KiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
