"""Steps on threads, and what is done about one that does not end in time.

Nodes keep their timeouts themselves. One that does not gets an exception in its thread, and if it is stuck where
Python cannot raise one, its step is failed without it: the thread is left behind, and the worker replaced.
Internal used: `dagster_event_sequence_for_step`, the body of one step.
"""

from __future__ import annotations

import ctypes
import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from dagster import DagsterEvent, Failure
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.objects import UserFailureData, step_failure_event_from_exc_info

from graph_compiler.jobs.tags import TIMEOUT_TAG
from graph_compiler.values.errors import NodeError

GRACE = 2.0
"""Seconds beyond its timeout that a node may take to end itself, and that an exception may take to end it."""


class NodeStuck(NodeError):
    """A node that did not keep its timeout."""

    def __init__(self) -> None:
        super().__init__("timeout", "The node did not end within its timeout and was stopped.")


class StepThreads:
    """Threads that are kept for the next step, since starting one takes long while others compute."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[RunningStep | None] = queue.SimpleQueue()
        self._idle = 0
        self._count = 0
        self._lock = threading.Lock()

    def run(self, step: RunningStep) -> None:
        """Run the step on an idle thread, or on a new one."""
        with self._lock:
            self._idle -= 1
            is_new = self._idle < 0
            if is_new:
                self._idle += 1
                self._count += 1
        self._work.put(step)
        if is_new:
            threading.Thread(target=self._serve, name=f"step-{self._count}", daemon=True).start()

    def close(self) -> None:
        """Let the threads end once they are idle."""
        for _ in range(self._count):
            self._work.put(None)

    def _serve(self) -> None:
        while (step := self._work.get()) is not None:
            step.run()
            with self._lock:
                self._idle += 1
            step.tell()


class RunningStep:
    """Runs the step and hands each event to `put`, and itself when it has ended."""

    def __init__(self, context: StepExecutionContext, put: Callable[[Any], None]) -> None:
        self.key = context.step.key
        self.attempt: int = context.previous_attempt_count + 1
        self.error: BaseException | None = None
        """An exception that is not the step's own."""
        self._context = context
        self._put = put
        self._ident: int | None = None
        self._interrupted_at: float | None = None
        timeout = context.step.tags.get(TIMEOUT_TAG)
        self._deadline = None if timeout is None else time.monotonic() + float(timeout) + GRACE

    def run(self) -> None:
        """Execute the step in this thread."""
        self._ident = threading.get_ident()
        try:
            for event in dagster_event_sequence_for_step(self._context):
                self._put(event)
        except BaseException as raised:
            self.error = raised
        self._ident = None

    def tell(self) -> None:
        """Say that the step has ended."""
        self._put(self)

    def is_to_be_interrupted(self, now: float) -> bool:
        return self._interrupted_at is None and self._deadline is not None and now > self._deadline

    def is_given_up(self, now: float) -> bool:
        return self._interrupted_at is not None and now > self._interrupted_at + GRACE

    def interrupt(self) -> None:
        """Raise `NodeStuck` in the thread as soon as it executes Python again."""
        self._interrupted_at = time.monotonic()
        if self._ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._ident), ctypes.py_object(NodeStuck))

    def failure(self) -> DagsterEvent:
        """The event of a step that is given up."""
        error = NodeStuck()
        metadata: dict[str, Any] = {
            "kind": error.kind,
            "message": error.message,
            "attempts": self.attempt,
        }
        try:
            raise Failure(str(error), metadata) from error
        except Failure as failure:
            data: Any = UserFailureData("intentional-failure", failure.description, failure.metadata)  # type: ignore[no-untyped-call]  # not annotated
            event: DagsterEvent = step_failure_event_from_exc_info(self._context, sys.exc_info(), data)
            return event
