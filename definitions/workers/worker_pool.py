"""The pool of warm run workers: a single-threaded process that imports everything once and forks workers from itself.

It holds no database connection and no thread, so a fork copies nothing that two processes must not share; the warm
interpreter of users' code is one for all workers. Launches come through a unix socket, any number of run ids, one a
line. A worker that dies with a run in hand is reported by a fork of its own.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from dagster import DagsterInstance, DagsterRunStatus

from definitions.execution.context import ProcessContext, process_context
from definitions.instance.storage import dispose_connections
from definitions.sandbox.process import protect_process, send_to_child, set_name, step_back
from definitions.shared import addresses, readiness
from definitions.workers import run_lock, worker_control
from definitions.workers.run_launcher import WarmRunLauncher
from definitions.workers.run_worker import DONE, RunWorker
from definitions.workers.warm_up import warm_up
from platform_core.ending_times import POOL_STOP
from platform_core.operation.lifeline import VARIABLE, watch_lifeline
from platform_core.settings import Settings

NAME = "headrace worker"
"""Of a run worker in ps and top; the kernel keeps 15 bytes."""
SURPLUS_AFTER = 10.0
"""Seconds without a launch after which the workers that a time of many runs has left are ended."""
_logger = logging.getLogger("headrace.workers")


@dataclass
class _Worker:
    pid: int
    channel: socket.socket
    run_id: str | None = None
    answers: bytearray = field(default_factory=bytearray)


class WorkerPool:
    """Keeps idle workers ready, gives runs to them, replaces those that are spent or died."""

    def __init__(self, settings: Settings, instance: DagsterInstance, process: ProcessContext) -> None:
        self._settings = settings
        self._instance = instance
        self._process = process
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, _Worker] = {}
        self._waiting: deque[str] = deque()
        self._statuses: dict[int, int] = {}
        self._is_stopping = False
        self._last_launch = time.monotonic()

    def serve(self, listener: socket.socket, wakeup: socket.socket) -> None:
        """Until SIGTERM or SIGINT."""
        self._selector.register(listener, selectors.EVENT_READ, lambda: self._accept(listener))
        self._selector.register(wakeup, selectors.EVENT_READ, lambda: self._drain(wakeup))
        self._fill()
        readiness.report(self._settings.home, "workers")
        while not self._is_stopping:
            self._fill()
            for key, _ in self._selector.select(self._retire()):
                act: Callable[[], None] = key.data
                act()
            self._reap()
        self._stop()

    def stop(self) -> None:
        self._is_stopping = True

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(1.0)
            with suppress(OSError):
                run_ids = _read_all(connection).decode().split()
                connection.sendall(b"ok\n")
                self._waiting.extend(run_ids)

    def _drain(self, wakeup: socket.socket) -> None:
        with suppress(BlockingIOError):
            wakeup.recv(4096)

    def _fill(self) -> None:
        idle = [worker for worker in self._workers.values() if worker.run_id is None]
        while self._waiting and (idle or len(self._workers) < self._limit):
            worker = idle.pop() if idle else self._fork()
            self._give(worker, self._waiting.popleft())
        while len(idle) < self._settings.idle_workers and len(self._workers) < self._limit:
            idle.append(self._fork())

    def _retire(self) -> float | None:
        """End idle workers beyond those kept ready if none was needed for a while; seconds until the next look."""
        idle = [worker for worker in self._workers.values() if worker.run_id is None]
        surplus = len(idle) - self._settings.idle_workers
        if surplus <= 0:
            return None
        left = self._last_launch + SURPLUS_AFTER - time.monotonic()
        if left > 0:
            return left
        for worker in idle[:surplus]:
            self._forget(worker)  # it ends when its channel does
        return None

    @property
    def _limit(self) -> int:
        return self._settings.max_concurrent_runs + self._settings.idle_workers

    def _give(self, worker: _Worker, run_id: str) -> None:
        try:
            worker.channel.sendall(f"{run_id}\n".encode())
            worker.run_id = run_id
            self._last_launch = time.monotonic()
        except OSError:
            # It died idle; its channel's end is read next, and the run goes to another.
            self._waiting.append(run_id)

    def _fork(self) -> _Worker:
        self._process.interpreter.start()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            self._become(lambda: RunWorker(self._instance, self._process, theirs).serve())
        theirs.close()
        worker = _Worker(pid, ours)
        self._workers[pid] = worker
        self._selector.register(ours, selectors.EVENT_READ, lambda: self._listen(worker))
        return worker

    def _become(self, work: Callable[[], None]) -> NoReturn:
        """The life of a fork: nothing of the pool's stays open, and nothing of the pool's clean-up runs."""
        status = 1
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for key in list(self._selector.get_map().values()):
                os.close(key.fd)
            self._selector.close()
            set_name(NAME)
            protect_process()
            self._process.interpreter.inherit()
            if VARIABLE in os.environ:
                watch_lifeline(int(os.environ[VARIABLE]), lambda: os._exit(1))
            work()
            status = 0
        except BaseException:
            _logger.exception("The run worker failed.")
        finally:
            os._exit(status)

    def _listen(self, worker: _Worker) -> None:
        try:
            answer = worker.channel.recv(64)
        except OSError:
            answer = b""
        worker.answers += answer
        if not answer or b"spent" in worker.answers:
            self._forget(worker)
        elif worker.answers.endswith(DONE):
            worker.answers.clear()
            worker.run_id = None

    def _forget(self, worker: _Worker) -> None:
        with suppress(KeyError):
            self._selector.unregister(worker.channel)
        worker.channel.close()
        self._workers.pop(worker.pid, None)
        if b"spent" in worker.answers or worker.run_id is None:
            self._statuses.pop(worker.pid, None)
            return
        reason = _reason(self._status_of(worker.pid))
        run_id = worker.run_id
        _logger.error("Run worker %d %s while it executed run %s.", worker.pid, reason, run_id)
        if os.fork() == 0:
            self._become(lambda: _report(self._instance, run_id, reason))

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self._workers:
                    self._statuses[pid] = status

    def _status_of(self, pid: int) -> int:
        return self._statuses.pop(pid) if pid in self._statuses else os.waitpid(pid, 0)[1]

    def _stop(self) -> None:
        for worker in self._workers.values():
            send_to_child(worker.pid, signal.SIGTERM)
            worker.channel.close()
        self._process.interpreter.let_go()  # each worker has closed it, too, when it has ended
        signal.alarm(int(POOL_STOP))
        with suppress(ChildProcessError, TimeoutError):
            while True:
                os.wait()
        signal.alarm(0)
        for worker in self._workers.values():
            send_to_child(worker.pid, signal.SIGKILL)
        self._process.interpreter.close()


def _read_all(connection: socket.socket) -> bytes:
    """What the other side sends until it has said everything. Raises OSError if that takes too long."""
    said = bytearray()
    while more := connection.recv(65536):
        said += more
    return bytes(said)


def _report(instance: DagsterInstance, run_id: str, reason: str) -> None:
    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished:
        return
    message = f"The run worker {reason}."
    launcher = instance.run_launcher
    if isinstance(launcher, WarmRunLauncher) and launcher.resume(run_id):
        return
    if run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, message)
    else:
        instance.report_run_failed(run, message)


def _reason(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"was killed by {signal.Signals(os.WTERMSIG(status)).name}"
    return f"ended with exit status {os.WEXITSTATUS(status)}"


def main(settings: Settings) -> int:
    """Serve the pool of the settings' home until SIGTERM or SIGINT; the exit code."""
    step_back(settings.niceness)  # callers are answered first; workers inherit it
    folder = addresses.run_folder(settings.home)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    run_lock.remove_stale(folder)
    worker_control.remove_stale(folder)
    listener = _listen_on(settings)
    warm_up()
    with DagsterInstance.get() as instance:
        dispose_connections(instance)
        process = process_context()
        process.prepare()
        pool = WorkerPool(settings, instance, process)
        wakeup = _catch_signals(pool)
        gc.collect()
        gc.freeze()
        pool.serve(listener, wakeup)
    listener.close()
    return 0


def _listen_on(settings: Settings) -> socket.socket:
    path = addresses.pool_socket(settings.home)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(128)
    return listener


def _catch_signals(pool: WorkerPool) -> socket.socket:
    """Signals wake the selector through a socket (see signal.set_wakeup_fd); the first stop signal ends the loop."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: pool.stop())

    def expire(*_: object) -> NoReturn:
        raise TimeoutError

    signal.signal(signal.SIGALRM, expire)
    return reader
