"""Work on threads: it begins when what it depends on is durable, and is watched if it has a timeout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graph_engine.scope.frame import Task
from graph_engine.scope.pool import Job, NodeStuck
from graph_engine.scope.state import State


def submit(state: State, task: Task, work: Callable[[float | None], Any], then: Callable[[Any], None]) -> None:
    """Have the work done on a thread with the next ones that begin; `then` gets its answer, or its `NodeError`."""
    job = Job(task, work, then)
    state.running += 1
    state.computing += task.node.node_type.uses_processor
    state.jobs.add(job)
    state.begun.append(job)


def start_all(state: State) -> None:
    """Begin all work that was submitted, once all that it depends on is durable."""
    if not state.begun:
        return
    begun, state.begun = state.begun, []
    state.journal.commit()
    for job in begun:
        job.timeout = state.timeout_of(job.task)
        if job.timeout is not None:
            watch(state, job, job.timeout + state.limits.grace)
        state.pool.submit(job)


def answered(state: State, job: Job) -> None:
    """The work has its answer; if it was given up, nobody asks for that any more."""
    if not job.is_over:
        _over(state, job)
        job.then(job.answer)


def watch(state: State, job: Job, seconds: float) -> None:
    """End the work if it has not ended in so many seconds: by an exception, and else without it."""
    if job.watch is not None:
        job.watch.call_off()
    job.watch = state.timers.set(state.clock.monotonic() + seconds, lambda job: _interrupt(state, job), job)


def _interrupt(state: State, job: Job) -> None:
    state.pool.interrupt(job)
    job.watch = state.timers.set(state.clock.monotonic() + state.limits.grace, lambda job: _give_up(state, job), job)


def _give_up(state: State, job: Job) -> None:
    state.has_stuck = True
    _over(state, job)
    job.then(NodeStuck())


def _over(state: State, job: Job) -> None:
    job.is_over = True
    if job.watch is not None:
        job.watch.call_off()
    state.jobs.discard(job)
    state.running -= 1
    state.computing -= job.task.node.node_type.uses_processor
