"""Why Dagster itself does not execute these jobs: their ops are what its UI draws, the engine executes the graph.

A job has a config for Dagster's launchpad all the same: the run's params, and how many nodes run at once.
Internal used: the arguments and the error of Dagster's `Executor`, which is asked where somebody has it execute a job.
No postponed annotations here: Dagster reads the types of contexts itself.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import (
    DagsterEvent,
    Executor,
    Failure,
    Field,
    InitExecutorContext,
    InitResourceContext,
    IntSource,
    OpExecutionContext,
    ResourceDefinition,
    executor,
)
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.execution.retries import RetryMode

from graph_compiler.jobs.params_config import params_field

WHY = (
    "Headrace's engine executes this job, on Headrace's workers: launch it whole, from Headrace or its Dagster UI. "
    "Dagster's own execution, in a process or of a selection of steps, does not know the graph's rules."
)


def refuse(context: OpExecutionContext, inputs: Any) -> Iterator[Any]:
    """The function of every op. Raises Dagster's Failure."""
    raise Failure(WHY, allow_retries=False)
    yield  # Dagster takes a function of this form for one that gives outputs


def launch_params(schema: Mapping[str, Any]) -> ResourceDefinition:
    """What a run that is started in the launchpad is given, by the schema of the graph's params.

    It is read when the run is stored.
    """
    return ResourceDefinition(_nothing, config_schema={"params": params_field(schema)})


def _nothing(context: InitResourceContext) -> None:
    """No op is executed that could use it."""


class EngineExecutor(Executor):
    """Stands for the engine."""

    @property
    def retries(self) -> RetryMode:
        return RetryMode.ENABLED

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[DagsterEvent]:
        raise DagsterInvariantViolationError(WHY)


@executor(
    name="engine",
    config_schema={"threads": Field(IntSource, is_required=False, description="Nodes run at once")},
    requirements=[],
)
def engine_executor(context: InitExecutorContext) -> EngineExecutor:
    """The executor of all Headrace jobs."""
    return EngineExecutor()
