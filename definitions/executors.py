"""An executor that runs a run's ready steps on threads of one process; Dagster has none (dagster#4041).

Internals used: `ActiveExecution`, which keeps retries, skips, dynamic outputs and pools;
`dagster_event_sequence_for_step`, the body of one step; and the context manager and iterable of the in-process
executor. Only the main thread touches `ActiveExecution`; step threads hand their events to it through a queue.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from dagster import DagsterEvent, Executor, Field, InitExecutorContext, IntSource, executor
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext, StepExecutionContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.execution.step_dependency_config import StepDependencyConfig
from dagster._utils.interrupts import check_captured_interrupt

from definitions.context import process_context

_INTERRUPT_POLL = 0.25
"""Seconds between looks at a captured signal, which cannot put itself into the queue."""


def default_threads() -> int:
    """Steps run at once when nothing else is said; most of them wait for something."""
    return 4 * (os.cpu_count() or 1)


class _Canceled:
    """In the queue: the run is to end."""


class _Finished:
    """In the queue: a step's thread is done, perhaps with an exception that is not the step's own."""

    def __init__(self, step_key: str, error: BaseException | None) -> None:
        self.step_key = step_key
        self.error = error


class ThreadedSteps:
    """Drives one run: starts steps as they become ready, gives their events on in the order they happened."""

    def __init__(self, context: PlanExecutionContext, active: ActiveExecution, pool: ThreadPoolExecutor, limit: int):
        self._context = context
        self._active = active
        self._pool = pool
        self._limit = limit
        self._running = 0
        self._is_stopping = False
        self._news: queue.SimpleQueue[DagsterEvent | _Finished | _Canceled] = queue.SimpleQueue()
        process_context().cancellation.subscribe(lambda: self._news.put(_Canceled()))

    def events(self) -> Iterator[DagsterEvent]:
        """All events of the plan. Raises DagsterExecutionInterruptedError once a cancelled run's steps have ended."""
        while self._running or not (self._is_stopping or self._active.is_complete):
            yield from self._start_ready()
            news = self._next_news()
            if isinstance(news, _Canceled):
                yield from self._stop()
            elif isinstance(news, _Finished):
                self._running -= 1
                if news.error is not None:
                    raise news.error
                self._active.verify_complete(self._context, news.step_key)
                yield from self._active.plan_events_iterator(self._context)
            elif news is not None:
                yield news
                self._active.handle_event(news)
        if self._is_stopping:
            raise DagsterExecutionInterruptedError

    def _start_ready(self) -> Iterator[DagsterEvent]:
        if self._is_stopping or self._active.is_complete or self._running >= self._limit:
            return
        steps = self._active.get_steps_to_execute(limit=self._limit - self._running)
        yield from self._active.concurrency_event_iterator(self._context)
        yield from self._active.plan_events_iterator(self._context)
        for step in steps:
            step_context = self._context.for_step(step, self._active.get_known_state())
            self._running += 1
            self._pool.submit(self._run_step, step_context)

    def _run_step(self, context: StepExecutionContext) -> None:
        error: BaseException | None = None
        try:
            for event in dagster_event_sequence_for_step(context):
                self._news.put(event)
        except BaseException as raised:
            error = raised
        self._news.put(_Finished(context.step.key, error))

    def _next_news(self) -> DagsterEvent | _Finished | _Canceled | None:
        wait = _INTERRUPT_POLL
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

    def _stop(self) -> Iterator[DagsterEvent]:
        if self._is_stopping:
            return
        self._is_stopping = True
        self._active.mark_interrupted()
        cancellation = process_context().cancellation
        if not cancellation.requested.is_set():
            cancellation.request()
        message = "Cancelling: waiting for the running steps to end."
        yield DagsterEvent.engine_event(self._context, message, EngineEventData())


def _iterate(context: PlanExecutionContext, plan: ExecutionPlan, threads: int) -> Iterator[DagsterEvent]:
    with (
        InstanceConcurrencyContext(context.instance, context.dagster_run) as concurrency,
        plan.start(
            retry_mode=context.retry_mode, max_concurrent=threads, instance_concurrency_context=concurrency
        ) as active,
        ThreadPoolExecutor(threads, thread_name_prefix="step") as pool,
    ):
        yield from ThreadedSteps(context, active, pool, threads).events()


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
