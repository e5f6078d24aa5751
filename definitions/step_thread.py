"""One step on a thread of its own, and what is done about one that does not end in time.

Nodes keep their timeouts themselves. One that does not gets an exception in its thread, and if it is stuck where
Python cannot raise one, its step is failed without it: the thread is left behind, and the worker replaced.
Internal used: `dagster_event_sequence_for_step`, the body of one step.
"""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from dagster import DagsterEvent, Failure
from dagster._core.execution.context.system import StepExecutionContext
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.objects import UserFailureData, step_failure_event_from_exc_info

from graph_compiler.errors import NodeError
from graph_compiler.tags import TIMEOUT_TAG

GRACE = 2.0
"""Seconds beyond its timeout that a node may take to end itself, and that an exception may take to end it."""


class NodeStuck(NodeError):
    """A node that did not keep its timeout."""

    def __init__(self) -> None:
        super().__init__("timeout", "The node did not end within its timeout and was stopped.")


class StepThread(threading.Thread):
    """Runs the step and hands each event to `put`, and itself when it has ended."""

    def __init__(self, context: StepExecutionContext, put: Callable[[Any], None]) -> None:
        super().__init__(name=f"step {context.step.key}", daemon=True)
        self.key = context.step.key
        self.error: BaseException | None = None
        """An exception that is not the step's own."""
        self._context = context
        self._put = put
        self._interrupted_at: float | None = None
        timeout = context.step.tags.get(TIMEOUT_TAG)
        self._deadline = None if timeout is None else time.monotonic() + float(timeout) + GRACE

    def run(self) -> None:
        try:
            for event in dagster_event_sequence_for_step(self._context):
                self._put(event)
        except BaseException as raised:
            self.error = raised
        self._put(self)

    def is_to_be_interrupted(self, now: float) -> bool:
        return self._interrupted_at is None and self._deadline is not None and now > self._deadline

    def is_given_up(self, now: float) -> bool:
        return self._interrupted_at is not None and now > self._interrupted_at + GRACE

    def interrupt(self) -> None:
        """Raise `NodeStuck` in the thread as soon as it executes Python again."""
        self._interrupted_at = time.monotonic()
        if self.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident), ctypes.py_object(NodeStuck))

    def failure(self) -> DagsterEvent:
        """The event of a step that is given up."""
        error = NodeStuck()
        metadata: dict[str, Any] = {
            "kind": error.kind,
            "message": error.message,
            "attempts": self._context.previous_attempt_count + 1,
        }
        try:
            raise Failure(str(error), metadata) from error
        except Failure as failure:
            data: Any = UserFailureData("intentional-failure", failure.description, failure.metadata)  # type: ignore[no-untyped-call]  # not annotated
            event: DagsterEvent = step_failure_event_from_exc_info(self._context, sys.exc_info(), data)
            return event
