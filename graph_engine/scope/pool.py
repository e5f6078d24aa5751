"""Threads for nodes that wait or compute for long, and what is done about a node that does not end."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from graph_compiler.values.errors import NodeError
from graph_engine.scope.frame import Task
from graph_engine.scope.timers import Timer


class NodeStuck(NodeError):
    """A node that did not keep its timeout."""

    def __init__(self) -> None:
        super().__init__("timeout", "The node did not end within its timeout and was stopped.")


class Job:
    """Some work of a task on a thread; `work` takes its timeout; `then` gets its answer, in the engine's thread."""

    __slots__ = ("answer", "interrupted", "is_over", "task", "then", "thread", "timeout", "watch", "work")

    def __init__(self, task: Task, work: Callable[[float | None], Any], then: Callable[[Any], None]) -> None:
        self.task = task
        self.work = work
        self.then = then
        self.answer: Any = None
        self.thread: int | None = None
        self.interrupted = False
        self.is_over = False
        """Whether the engine goes on without it."""
        self.timeout: float | None = None
        """Seconds that the work may last."""
        self.watch: Timer | None = None


class Pool:
    """Threads that are kept for the next job, since starting one takes long while others compute."""

    def __init__(self, inbox: SimpleQueue[Any]) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._inbox = inbox
        self._lock = threading.Lock()
        self._free = 0
        self._count = 0

    def submit(self, job: Job) -> None:
        """Do the work on a free thread, or on a new one; the job comes to the inbox when it has its answer."""
        with self._lock:
            is_new = self._free == 0
            self._free -= not is_new
            self._count += is_new
            number = self._count
        if is_new:
            threading.Thread(target=self._serve, name=f"node-{number}", daemon=True).start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let the threads end once they are free."""
        with self._lock:
            count, self._count = self._count, 0
        for _ in range(count):
            self._jobs.put(None)

    def interrupt(self, job: Job) -> None:
        """Raise `NodeStuck` in the job's thread as soon as that executes Python again; it is not used afterwards."""
        with self._lock:
            job.interrupted = True
            if job.thread is not None:
                stuck = ctypes.py_object(NodeStuck)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(job.thread), stuck)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                self._do(job)
                is_last = self._finish(job)
            except NodeStuck:  # it may come when the work has ended
                is_last = self._finish(job)
            if is_last:
                return

    def _do(self, job: Job) -> None:
        with self._lock:
            job.thread = threading.get_ident()
        try:
            job.answer = job.work(job.timeout)
        except NodeError as error:
            job.answer = error
        except BaseException as raised:
            job.answer = NodeError("internal_error", f"{type(raised).__name__}: {raised}")

    def _finish(self, job: Job) -> bool:
        """Hand the job back; whether this thread is not to be used again."""
        with self._lock:
            job.thread = None
            self._free += not job.interrupted
            self._count -= job.interrupted
        self._inbox.put(job)
        return job.interrupted
