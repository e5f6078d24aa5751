"""Runs that begin where another one failed: which steps they execute, and that the rest is taken from there.

Internals used: `KnownExecutionState`, by which Dagster's own re-execution knows the outputs of a parent run from its
log, `create_execution_plan`, and the steps of its plan. The values themselves are read from headrace.run_values, by
any worker.
"""

from __future__ import annotations

import itertools
from collections.abc import Set

from dagster import DagsterInstance, DagsterRun, JobDefinition
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.handle import ResolvedFromDynamicStepHandle
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState, PastExecutionState
from dagster._core.execution.plan.step import UnresolvedMappedExecutionStep
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RESUME_RETRY_TAG, ROOT_RUN_ID_TAG

from graph_compiler.jobs.foreach_ops import ITEMS_OUTPUT, RESULT
from graph_compiler.jobs.tags import FINALLY_TAG


def plan_from_failure(instance: DagsterInstance, job: JobDefinition, parent: DagsterRun) -> ExecutionPlan:
    """The steps that did not succeed in the parent run, and those that run last whatever happened."""
    failed, known = KnownExecutionState.build_resume_retry_reexecution(instance, parent)
    whole = create_execution_plan(job)
    missing = _missing_items(whole, known, frozenset(failed))
    items = itertools.chain.from_iterable(missing.values())
    last = [key for key, step in whole.step_dict_by_key.items() if FINALLY_TAG in (step.tags or {})]
    steps = list(dict.fromkeys([*failed, *items, *_after(whole, missing.keys()), *last]))
    return create_execution_plan(
        job, step_keys_to_execute=steps, known_state=known.update_for_step_selection(steps), tags=parent.tags
    )


def retry_tags(parent: DagsterRun) -> dict[str, str]:
    """The tags by which Dagster's UI links the runs."""
    root = parent.root_run_id or parent.run_id
    return {PARENT_RUN_ID_TAG: parent.run_id, ROOT_RUN_ID_TAG: root, RESUME_RETRY_TAG: "true"}


def _missing_items(whole: ExecutionPlan, known: KnownExecutionState, failed: frozenset[str]) -> dict[str, list[str]]:
    """The steps of items without a result that Dagster forgets, since they never began; by the step of all items."""
    missing = {}
    for step in whole.step_dict_by_key.values():
        if isinstance(step, UnresolvedMappedExecutionStep) and step.key not in failed:
            expand = step.resolved_by_step_key
            keys = known.dynamic_mappings.get(expand, {}).get(step.resolved_by_output_name) or ()
            items = [ResolvedFromDynamicStepHandle(step.handle.node_handle, key).to_key() for key in keys]
            done = failed | _with_result(known.parent_state, expand)
            missing[step.key] = [item for item in items if item not in done]
    return {step: items for step, items in missing.items() if items}


def _with_result(past: PastExecutionState | None, expand: str) -> set[str]:
    """Steps of items that gave a result, in the latest run that made the items or one that went on from there."""
    found: set[str] = set()
    while past is not None:
        made = past.produced_outputs
        found.update(handle.step_key for handle in made if handle.output_name == RESULT)
        if any(handle.step_key == expand and handle.output_name == ITEMS_OUTPUT for handle in made):
            break  # results of earlier runs are of other items
        earlier = past.parent_state
        assert earlier is None or isinstance(earlier, PastExecutionState)
        past = earlier
    return found


def _after(whole: ExecutionPlan, begin: Set[str]) -> list[str]:
    """The steps that come after these, however far."""
    reached = set(begin)
    dependencies = whole.get_all_step_deps()
    for step in whole.get_all_steps_in_topo_order() if reached else ():
        if not dependencies[step.key].isdisjoint(reached):
            reached.add(step.key)
    return sorted(reached - begin)
