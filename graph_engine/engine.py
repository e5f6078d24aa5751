"""Executes one run: a pass over its plan from what the journal proves, until it has ended or has to wait for long."""

from __future__ import annotations

import queue
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from graph_compiler.values.errors import Stopped
from graph_engine.given.clock import Clock
from graph_engine.given.limits import Limits
from graph_engine.given.runtime import Runtime
from graph_engine.journal import records
from graph_engine.journal.journal import Journal
from graph_engine.journal.known import Known
from graph_engine.journal.outcome import Ended, Outcome, Suspended
from graph_engine.journal.records import Error, Status
from graph_engine.scope.frame import Frame, Phase, Stop, Task
from graph_engine.scope.index import PlanIndex
from graph_engine.scope.pool import Job
from graph_engine.scope.state import State
from graph_engine.steps import asking, calls, readiness, steps, stopping
from graph_engine.steps.ending import end
from graph_engine.steps.jobs import answered, start_all
from graph_engine.steps.outputs import give_run_outputs

_ROUND = 100
"""Tasks that begin between two looks at the clock."""


class Engine:
    """`run()` is called once; `stop` and `wake` may be called from any thread, at any time.

    `known` is what the journal proves of what was done before; `chance` answers numbers in [0, 1) for jitter.
    """

    def __init__(
        self,
        index: PlanIndex,
        runtime: Runtime,
        journal: Journal,
        clock: Clock,
        *,
        limits: Limits | None = None,
        known: Known | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._state = State(index, runtime, journal, clock, limits or Limits(), known or Known(), chance)

    @property
    def has_stuck_threads(self) -> bool:
        """Whether a node that did not end was left behind: the process is not to execute another run."""
        return self._state.has_stuck

    def stop(self, status: Status, error: Error) -> None:
        """End the run with this; nodes that run last still do. `error` is one of `run_error`."""
        self._state.inbox.put(partial(self._stop, status, error))

    def wake(self) -> None:
        """Look at the journal's `due` again."""
        self._state.inbox.put(None)

    def run(self) -> Outcome:
        """Execute the run in this thread. Raises what the journal raises; then nothing of this execution counts."""
        state = self._state
        try:
            self._open()
            return self._drive()
        except BaseException:
            state.runtime.cancel()
            raise
        finally:
            state.pool.close()

    def _open(self) -> None:
        state, known = self._state, self._state.known
        state.journal.attach(self.wake)
        now = state.clock.now()
        state.append(records.RunBegan(now, is_resumed=known.started_at is not None))
        give_run_outputs(state)
        calls.open_frame(state, state.root)
        if known.stopping is not None:
            self._end_early(*known.stopping)
        elif state.limits.timeout is not None:
            self._limit(state.limits.timeout, now if known.started_at is None else known.started_at)
        self._receive_waiting()

    def _limit(self, timeout: float, started_at: float) -> None:
        """Have the run stopped when its time is over: at once, if it was over before this worker came."""
        state = self._state
        left = timeout - max(0.0, state.clock.now() - started_at)
        if left <= 0:
            self._time_out(timeout)
            return
        state.run_deadline = state.clock.monotonic() + left
        state.timers.set(state.run_deadline, self._time_out, timeout)

    def _drive(self) -> Outcome:
        state = self._state
        while True:
            self._work_through()
            if state.is_over:
                return self._ended()
            stopping.rearm_when_drained(state)
            self._begin_ready()
            state.journal.breathe()
            asking.look(state)
            state.timers.fire(state.clock.monotonic())
            if not (state.results or state.quiet or state.is_over):
                suspended = self._suspended()
                if suspended is not None:
                    return suspended
                self._receive()

    def _work_through(self) -> None:
        """All that follows from what has ended."""
        state = self._state
        while state.results or state.quiet:
            while state.results:
                end(state, *state.results.popleft())
            while state.quiet and not state.results:
                self._advance(state.quiet.popleft())

    def _advance(self, frame: Frame) -> None:
        """Nothing in the frame is on its way: what runs last does, or it is over."""
        state = self._state
        if frame.active or frame.phase is Phase.CLOSED:
            return
        if frame.phase is Phase.MAIN:
            if state.is_draining:
                state.held.append(frame)
                return
            readiness.release_last(state, frame)
        if not frame.active:
            frame.phase = Phase.CLOSED
            if frame.call is not None:
                calls.close(state, frame)

    # -- beginning

    def _begin_ready(self) -> None:
        """Begin what may; what runs on threads together, so that one commit makes durable what all of it needs."""
        state = self._state
        for _ in range(_ROUND):
            task = self._next()
            if task is None:
                break
            begun = len(state.begun)
            steps.begin(state, task)
            self._work_through()
            if len(state.begun) == begun:
                start_all(state)
                state.journal.breathe()
        start_all(state)

    def _next(self) -> Task | None:
        state, limits = self._state, self._state.limits
        while state.running < limits.max_parallel and state.inbox.empty():
            if state.parked and state.computing < limits.processors:
                return state.parked.popleft()
            if not state.ready:
                return None
            task = state.ready.popleft()
            if state.is_draining and not task.frame.refuses:
                state.postponed.append(task)
            elif state.must_park(task):
                state.parked.append(task)
            else:
                return task
        return None

    # -- waiting

    def _receive(self) -> None:
        """Wait for news, or until something is due."""
        state = self._state
        is_busy = state.running < state.limits.max_parallel and bool(state.ready or self._may_unpark())
        seconds = 0.0 if is_busy else self._seconds_until_due()
        try:
            news = state.inbox.get_nowait() if seconds == 0.0 else state.clock.receive(state.inbox, seconds)
        except queue.Empty:
            return
        self._take(news)
        self._receive_waiting()

    def _may_unpark(self) -> bool:
        state = self._state
        return bool(state.parked) and state.computing < state.limits.processors

    def _receive_waiting(self) -> None:
        while True:
            try:
                self._take(self._state.inbox.get_nowait())
            except queue.Empty:
                return

    def _take(self, news: Any) -> None:
        if isinstance(news, Job):
            answered(self._state, news)
        elif news is not None:
            news()

    def _seconds_until_due(self) -> float | None:
        state = self._state
        timer, due = state.timers.next(), state.journal.due()
        times = [] if timer is None else [max(0.0, timer - state.clock.monotonic())]
        times += [] if due is None else [max(0.0, due)]
        times += [max(0.0, state.look_at - state.clock.monotonic())] if state.asked else []
        assert times or state.jobs or state.is_over, "nothing runs, and the run has not ended"
        return min(times, default=None)

    # -- ending

    def _time_out(self, timeout: float) -> None:
        message = "The run did not end within its timeout and was stopped."
        self._stop("FAILURE", records.run_error("run_timeout", message))

    def _stop(self, status: Status, error: Error) -> None:
        state = self._state
        if state.root.stop is None and not state.is_over:
            state.append(records.RunStopping(state.clock.now(), status, error))
            self._end_early(status, error)

    def _end_early(self, status: Status, error: Error) -> None:
        canceled = Stopped("the run was canceled while this was waiting")
        stopping.stop_run(self._state, Stop(status, error, canceled))

    def _suspended(self) -> Suspended | None:
        state = self._state
        waits = state.long_waits()
        if not waits or state.root.stop is not None:
            return None
        until = min([*(wait.until for wait in waits), *state.deadlines()])
        if not state.is_long(until - state.clock.now()):
            return None
        state.append(records.RunSuspended(state.clock.now(), until, waits))
        state.journal.commit()
        return Suspended(until, waits)

    def _ended(self) -> Ended:
        state, root = self._state, self._state.root
        status: Status = "SUCCESS"
        error: Error | None = None
        if root.stop is not None:
            status, error = root.stop.status, root.stop.error
        elif root.blame is not None:
            status, error = "FAILURE", root.blame.cause
        state.append(records.RunEnded(state.clock.now(), status, error))
        state.journal.commit()
        return Ended(status, error, state.outputs)
