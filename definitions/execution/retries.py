"""Runs that begin where another one failed: which steps they execute, and that the rest is taken from there.

Internals used: `KnownExecutionState`, by which Dagster's own re-execution knows the outputs of a parent run from its
log, and `create_execution_plan`. The values themselves are read from headrace.run_values, by any worker.
"""

from __future__ import annotations

from dagster import DagsterInstance, DagsterRun, JobDefinition
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, RESUME_RETRY_TAG, ROOT_RUN_ID_TAG

from graph_compiler.jobs.tags import FINALLY_TAG


def plan_from_failure(instance: DagsterInstance, job: JobDefinition, parent: DagsterRun) -> ExecutionPlan:
    """The steps that did not succeed in the parent run, and those that run last whatever happened."""
    failed, known = KnownExecutionState.build_resume_retry_reexecution(instance, parent)
    last = [
        key for key, step in create_execution_plan(job).step_dict_by_key.items() if FINALLY_TAG in (step.tags or {})
    ]
    steps = list(dict.fromkeys([*failed, *last]))
    return create_execution_plan(
        job, step_keys_to_execute=steps, known_state=known.update_for_step_selection(steps), tags=parent.tags
    )


def retry_tags(parent: DagsterRun) -> dict[str, str]:
    """The tags by which Dagster's UI links the runs."""
    root = parent.root_run_id or parent.run_id
    return {PARENT_RUN_ID_TAG: parent.run_id, ROOT_RUN_ID_TAG: root, RESUME_RETRY_TAG: "true"}
