"""The state of a run's steps, kept in time linear in their number, with the rules that Dagster has not.

Internals used: `ActiveExecution` (Dagster 1.13), whose `_update` looks at every pending step, whose
`get_steps_to_execute` sorts every ready one each time it is asked, and whose `get_known_state` checks every output.
Ours are asked only for what changed, and know nodes that run last, limits per node and outputs of skipped nodes.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from dagster import DagsterEvent
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.inputs import FromMultipleSources
from dagster._core.execution.plan.outputs import StepOutputHandle
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep

from graph_compiler.jobs.tags import FINALLY_TAG, MAX_PARALLEL_TAG, PROCESSOR_TAG
from graph_compiler.running.naming import PARAMS_INPUT, step_place


class RunExecution(ActiveExecution):
    """Which steps are ready, running and done. At most `processors` steps that compute run at once."""

    def __init__(self, *arguments: Any, processors: int, **options: Any) -> None:
        self._processors = processors
        self._unsettled: dict[str, set[str]] = {}
        self._dependents: defaultdict[str, list[str]] = defaultdict(list)
        self._ready: list[str] = []
        self._held: dict[str, set[str]] = {}
        self._in_group: Counter[str] = Counter()
        self._is_indexed = False
        self._failures: list[DagsterEvent] = []
        self._cut_short: list[str] = []
        super().__init__(*arguments, **options)

    @property
    def is_complete(self) -> bool:
        return not self._new_dynamic_mappings and super().is_complete

    def release_last(self) -> bool:
        """Let the steps of `finally` nodes begin, in the order among them; whether there are any."""
        held, self._held = self._held, {}
        for key, dependencies in held.items():
            self._await(key, dependencies & held.keys())
        return bool(held)

    def handle_event(self, dagster_event: DagsterEvent) -> None:
        super().handle_event(dagster_event)
        if dagster_event.is_step_failure:
            self._failures.append(dagster_event)

    def mark_abandoned(self, step_key: str) -> None:
        super().mark_abandoned(step_key)
        found = step_place(step_key)
        if found.node is not None and found.role in ("collect", "outputs"):
            self._cut_short.append(found.node)

    def cut_short(self) -> list[tuple[str, DagsterEvent]]:
        """Nodes of several steps whose last will not run, each with the first failure in it; each is told once."""
        nodes, self._cut_short = self._cut_short, []
        firsts = ((node, self._first_failure(node)) for node in nodes)
        return [(node, failure) for node, failure in firsts if failure is not None]

    def _first_failure(self, node: str) -> DagsterEvent | None:
        """The failure of an item of the node, or of a node of the graph it calls; its own is told already."""
        for failure in self._failures:
            found = step_place(failure.step_key or "")
            if (found.node or "").startswith(f"{node}/") or (found.node == node and found.item is not None):
                return failure
        return None

    def drop_pending(self) -> None:
        """Forget what has not begun; only the steps of `finally` nodes still may."""
        for waiting in (self._pending, self._unsettled, self._waiting_to_retry):
            waiting.clear()
        self._new_dynamic_mappings = False
        for steps in (self._ready, self._executable, self._pending_skip, self._pending_abandon):
            steps.clear()

    def get_steps_to_execute(self, limit: int | None = None) -> Sequence[ExecutionStep]:
        """Up to `limit` ready steps, the longest ready first; they are in flight from now on."""
        self._update()
        batch: list[ExecutionStep] = []
        left: list[str] = []
        for key in self._executable:
            step = self._plan.get_step_by_key(key)
            assert isinstance(step, ExecutionStep)
            if (limit is None or len(batch) < limit) and self._may_start(step):
                batch.append(step)
                self._in_flight.add(key)
                self._in_group.update(_groups(step))
                self._prep_for_dynamic_outputs(step)
            else:
                left.append(key)
        self._executable = left
        return batch

    def get_known_state(self) -> KnownExecutionState:
        known = self._plan.known_state
        return KnownExecutionState._make(
            (
                self._retry_state.snapshot_attempts(),
                dict(self._completed_dynamic_outputs),
                known.step_output_versions,
                self._step_outputs,
                known.parent_state,
            )
        )

    def mark_up_for_retry(self, step_key: str, at_time: float | None = None) -> None:
        super().mark_up_for_retry(step_key, at_time or time.time())

    def _may_start(self, step: ExecutionStep) -> bool:
        limit = step.tags.get(MAX_PARALLEL_TAG)
        if limit is not None and self._in_group[_group(step)] >= int(limit):
            return False
        if PROCESSOR_TAG in step.tags and self._in_group[PROCESSOR_TAG] >= self._processors:
            return False
        pools = self._instance_concurrency_context
        return not step.pool or pools is None or pools.claim(step.pool, step.key, 0)

    def _mark_complete(self, step_key: str) -> None:
        super()._mark_complete(step_key)
        step = self._plan.get_step_by_key(step_key)
        assert isinstance(step, ExecutionStep)
        self._in_group.subtract(_groups(step))
        if step_key not in self._waiting_to_retry:
            self._settle(step_key)

    def _update(self) -> None:
        if not self._is_indexed:
            self._index()
        if self._new_dynamic_mappings:
            self._new_dynamic_mappings = False
            for key, dependencies in self._plan.resolve(self._completed_dynamic_outputs).items():
                self._await(key, dependencies)
        ready, self._ready = self._ready, []
        for key in ready:
            dependencies = self._pending.pop(key)
            if self._should_skip_step(key):
                self._pending_skip.append(key)
            elif any(earlier in self._failed or earlier in self._abandoned for earlier in dependencies):
                self._pending_abandon.append(key)
            else:
                self._executable.append(key)
        now = time.time()
        for key in [key for key, at_time in self._waiting_to_retry.items() if at_time <= now]:
            del self._waiting_to_retry[key]
            self._executable.append(key)

    def _index(self) -> None:
        self._is_indexed = True
        pending, self._pending = self._pending, {}
        for key, dependencies in pending.items():
            if FINALLY_TAG in self.get_step_by_key(key).tags:
                self._held[key] = dependencies
            else:
                self._await(key, dependencies)

    def _await(self, key: str, dependencies: set[str]) -> None:
        self._pending[key] = dependencies
        done = self._success, self._skipped, self._failed, self._abandoned
        unsettled = {earlier for earlier in dependencies if not any(earlier in some for some in done)}
        if not unsettled:
            self._ready.append(key)
            return
        self._unsettled[key] = unsettled
        for earlier in unsettled:
            self._dependents[earlier].append(key)

    def _settle(self, step_key: str) -> None:
        for key in self._dependents.pop(step_key, ()):
            waiting = self._unsettled.get(key)
            if waiting is not None:
                waiting.discard(step_key)
                if not waiting:
                    del self._unsettled[key]
                    self._ready.append(key)

    def _should_skip_step(self, step_key: str) -> bool:
        step = self.get_step_by_key(step_key)
        for step_input in step.step_inputs:
            handles = step_input.get_step_output_handle_dependencies()
            # Of a call that failed before its nodes, those that run last do not, either.
            is_last_of_call = step_input.name == PARAMS_INPUT and FINALLY_TAG in step.tags
            missing = [
                handle
                for handle in handles
                if self._is_missing(handle) or (is_last_of_call and handle not in self._step_outputs)
            ]
            is_fan_in = isinstance(step_input.source, FromMultipleSources)
            if missing and not (is_fan_in and (len(missing) < len(handles) or self._takes_nothing(step, handles))):
                self._skipped_deps[step_key] = [f"{handle.step_key}.{handle.output_name}" for handle in missing]
                return True
        return False

    def _is_missing(self, handle: StepOutputHandle) -> bool:
        return handle not in self._step_outputs and (
            handle.step_key in self._success or handle.step_key in self._skipped
        )

    def _takes_nothing(self, step: ExecutionStep, handles: Sequence[StepOutputHandle]) -> bool:
        """Whether the step runs even if nothing arrives: outputs do, and what runs last whatever happened before it."""
        if FINALLY_TAG in step.tags:
            return any(FINALLY_TAG not in self.get_step_by_key(handle.step_key).tags for handle in handles)
        return step_place(step.key).role == "outputs"


def _groups(step: ExecutionStep) -> list[str]:
    """The counters of running steps that the step belongs to."""
    groups = [_group(step)] if MAX_PARALLEL_TAG in step.tags else []
    return [*groups, PROCESSOR_TAG] if PROCESSOR_TAG in step.tags else groups


def _group(step: ExecutionStep) -> str:
    return str(step.tags.get("headrace/foreach", step.node_handle))
