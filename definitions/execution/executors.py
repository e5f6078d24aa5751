"""An executor that runs a run's ready steps on threads of one process; Dagster has none (dagster#4041).

Internals used: `ActiveExecution` (by run_execution.py), which keeps retries, skips, dynamic outputs and pools; and
the context manager and iterable of the in-process executor. Only the main thread touches `ActiveExecution`; step
threads hand their events to it through a queue.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator
from typing import Any

from dagster import DagsterEvent, Executor, Field, InitExecutorContext, IntSource, executor
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._utils.interrupts import check_captured_interrupt

from definitions.execution.context import process_context
from definitions.execution.run_execution import RunExecution
from definitions.execution.step_context import StepContexts
from definitions.execution.step_thread import RunningStep, StepThreads
from definitions.instance.event_storage import PooledEventStorage
from definitions.instance.run_events import NO_PLACE, cut_short, failed_step_error
from definitions.instance.run_loss import RunLost
from graph_compiler.jobs.tags import MAX_NODES_TAG, TIMEOUT_TAG

_POLL = 0.25
"""Seconds between looks at a captured signal, which cannot put itself into the queue, and at what takes too long."""

LAST_SECONDS = 60.0
"""How long `finally` nodes may take in a run that was cancelled or took too long."""


def default_threads() -> int:
    """Steps run at once when nothing else is said; most of them wait for something."""
    return 4 * (os.cpu_count() or 1)


class RunTimedOut(Exception):
    """The run took longer than the `timeout` of its graph's settings."""


class _Canceled:
    """In the queue: the run is to end."""


class ThreadedSteps:
    """Drives one run: starts steps as they become ready, gives their events on in the order they happened.

    When all have ended, or the run is to end, the steps of `finally` nodes run in the same way.
    """

    def __init__(self, context: PlanExecutionContext, active: RunExecution, limit: int) -> None:
        self._context = context
        self._step_contexts = StepContexts(context)
        self._active = active
        self._limit = limit
        self._running: dict[str, RunningStep] = {}
        self._is_stopping = False
        self._is_due = True
        self._failure: DagsterEvent | None = None
        self._end: BaseException | None = None
        self._news: queue.SimpleQueue[DagsterEvent | RunningStep | _Canceled] = queue.SimpleQueue()
        self._threads = StepThreads()
        self._process = process_context()
        self._deadline = _deadline(context)
        self._process.outcome = {}
        self._process.cancellation.subscribe(lambda: self._news.put(_Canceled()))

    def events(self) -> Iterator[DagsterEvent]:
        """All events of the plan.

        Raises DagsterExecutionInterruptedError once a cancelled run's steps have ended, `RunTimedOut` likewise.
        """
        try:
            yield from self._drive_all()
        finally:
            self._threads.close()
        if self._end is not None:
            raise self._end

    def _drive_all(self) -> Iterator[DagsterEvent]:
        yield from self._drive()
        self._active.drop_pending()
        self._process.outcome = self._outcome()
        if self._active.release_last():
            self._process.cancellation.rearm()
            self._is_stopping, self._is_due = False, True
            self._deadline = None if self._end is None else time.monotonic() + LAST_SECONDS
            yield from self._drive()

    def _drive(self) -> Iterator[DagsterEvent]:
        while self._running or not (self._is_stopping or self._active.is_complete):
            yield from self._start_ready()
            news = self._next_news()
            while news is not None:
                yield from self._take(news)
                news = self._waiting_news()
            yield from self._watch()

    def _take(self, news: DagsterEvent | RunningStep | _Canceled) -> Iterator[DagsterEvent]:
        if isinstance(news, _Canceled):
            yield from self._stop(self._process.cancellation.because or DagsterExecutionInterruptedError())
        elif isinstance(news, RunningStep):
            if self._running.get(news.key) is not news:
                return  # it was given up, or its next attempt has begun: the event that asks for one comes before
            del self._running[news.key]
            self._is_due = True
            if news.error is not None:
                raise news.error
            self._active.verify_complete(self._context, news.key)
        elif news.step_key in self._running:
            if news.is_step_failure and self._failure is None:
                self._failure = news
            yield news
            self._active.handle_event(news)

    def _start_ready(self) -> Iterator[DagsterEvent]:
        if self._is_stopping or self._active.is_complete:
            return
        if not self._is_due and self._active.sleep_interval() > 0:  # type: ignore[no-untyped-call]  # not annotated
            return
        self._is_due = False
        yield from self._active.plan_events_iterator(self._context)
        self._tell_cut_short()
        steps = self._active.get_steps_to_execute(limit=self._limit - len(self._running))
        yield from self._active.concurrency_event_iterator(self._context)
        known = self._active.get_known_state()
        for step in steps:
            running = RunningStep(self._step_contexts.of(step, known), self._news.put)
            self._running[step.key] = running
            self._threads.run(running)

    def _tell_cut_short(self) -> None:
        """Say that nodes of several steps failed whose last step, which would say it, does not run."""
        storage = self._context.instance.event_log_storage
        for node, failure in self._active.cut_short():
            assert isinstance(storage, PooledEventStorage)
            storage.store_run_event(self._context.run_id, cut_short(node, failure, time.time()))

    def _next_news(self) -> DagsterEvent | RunningStep | _Canceled | None:
        wait = _POLL
        if not self._is_stopping and not self._active.is_complete:
            pause: float = self._active.sleep_interval()  # type: ignore[no-untyped-call]  # Dagster does not annotate it
            if pause > 0:
                wait = min(wait, pause)
            elif not self._running:
                wait = 0
        try:
            return self._news.get(timeout=wait) if wait else self._news.get_nowait()
        except queue.Empty:
            return _Canceled() if check_captured_interrupt() else None

    def _waiting_news(self) -> DagsterEvent | RunningStep | _Canceled | None:
        try:
            return self._news.get_nowait()
        except queue.Empty:
            return None

    def _watch(self) -> Iterator[DagsterEvent]:
        """End what takes too long: nodes that ignore their timeout, and the run."""
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            self._deadline = None
            yield from self._stop(RunTimedOut("The run did not end within its timeout and was stopped."))
        for step in list(self._running.values()):
            if step.is_to_be_interrupted(now):
                step.interrupt()
            elif step.is_given_up(now):
                del self._running[step.key]
                self._is_due = True
                event = step.failure()
                self._failure = self._failure or event
                yield event
                self._active.handle_event(event)

    def _stop(self, end: BaseException) -> Iterator[DagsterEvent]:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._end = self._end or end
        self._active.mark_interrupted()
        cancellation = self._process.cancellation
        if not cancellation.requested.is_set():
            cancellation.request()
        yield DagsterEvent.engine_event(self._context, "Waiting for the running steps to end.", EngineEventData())

    def _outcome(self) -> dict[str, Any]:
        if isinstance(self._end, RunTimedOut):
            error = {"kind": "run_timeout", "message": str(self._end), **NO_PLACE}
            return {"status": "FAILURE", "error": error}
        if isinstance(self._end, RunLost):
            error = {"kind": self._end.kind, "message": self._end.message, **NO_PLACE}
            return {"status": "FAILURE", "error": error}
        if self._end is not None:
            return {"status": "CANCELED", "error": {"kind": "canceled", "message": "The run was canceled.", **NO_PLACE}}
        if self._failure is not None:
            return {"status": "FAILURE", "error": failed_step_error(self._failure)}
        return {"status": "SUCCESS", "error": None}


def _deadline(context: PlanExecutionContext) -> float | None:
    seconds = context.dagster_run.tags.get(TIMEOUT_TAG)
    return None if seconds is None else time.monotonic() + float(seconds)


def _iterate(context: PlanExecutionContext, plan: ExecutionPlan, threads: int) -> Iterator[DagsterEvent]:
    limit = int(context.dagster_run.tags.get(MAX_NODES_TAG, threads))
    with (
        InstanceConcurrencyContext(context.instance, context.dagster_run) as concurrency,
        RunExecution(
            plan,
            context.retry_mode,
            max_concurrent=limit,
            instance_concurrency_context=concurrency,
            processors=os.cpu_count() or 1,
        ) as active,
    ):
        yield from ThreadedSteps(context, active, limit).events()


class ThreadExecutor(Executor):
    """Runs up to `threads` steps at once in this process."""

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    @property
    def step_dependency_config(self) -> StepDependencyConfig:
        return StepDependencyConfig.default()

    def execute(self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
        manager = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=plan_context.execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
            step_dependency_config=self.step_dependency_config,
        )

        def iterate(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[DagsterEvent]:
            return _iterate(job_context, execution_plan, self._threads)

        yield from iter(
            ExecuteRunWithPlanIterable(
                execution_plan=plan_context.execution_plan, iterator=iterate, execution_context_manager=manager
            )
        )


@executor(
    name="threads",
    config_schema={"threads": Field(IntSource, is_required=False, description="Steps run at once")},
    requirements=[],
)
def thread_executor(context: InitExecutorContext) -> ThreadExecutor:
    """The executor of all Headrace jobs."""
    threads = context.executor_config.get("threads")
    return ThreadExecutor(threads if isinstance(threads, int) else default_threads())
