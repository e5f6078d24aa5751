"""Why Dagster itself does not execute these jobs: their ops are what its UI draws, the engine executes the graph.

A job has a config for Dagster's launchpad all the same: the run's params, and how many nodes run at once.
Internal used: the arguments and the error of Dagster's `Executor`, which is asked where somebody has it execute a job.
No postponed annotations here: Dagster reads the types of contexts itself.
"""

from collections.abc import Iterator
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
    executor,
    resource,
)
from dagster._core.errors import DagsterInvariantViolationError
from dagster._core.execution.retries import RetryMode

WHY = (
    "Headrace's engine executes this job, on Headrace's workers: launch it whole, from Headrace or its Dagster UI. "
    "Dagster's own execution, in a process or of a selection of steps, does not know the graph's rules."
)


def refuse(context: OpExecutionContext, inputs: Any) -> Iterator[Any]:
    """The function of every op. Raises Dagster's Failure."""
    raise Failure(WHY, allow_retries=False)
    yield  # Dagster takes a function of this form for one that gives outputs


@resource(config_schema={"params": Field(dict, is_required=False, description="Params of a run started here")})
def launch_params(context: InitResourceContext) -> None:
    """What a run that is started in the launchpad is given; the daemon reads it when it takes the run over."""


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
