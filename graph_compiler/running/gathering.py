"""Which elements of a fan-in there are: Dagster drops those of skipped steps, and does not say which.

Internals used: a step's `FromMultipleSources` input and `StepExecutionContext.can_load`, by which Dagster drops them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import OpExecutionContext
from dagster._core.execution.plan.inputs import FromMultipleSources

from graph_compiler.language.spec import PortRef
from graph_compiler.running.naming import node_id, step_place


def gathered(context: OpExecutionContext, name: str, inputs: Mapping[str, Any]) -> dict[PortRef, Any]:
    """The values of the fan-in input `name` by the output they come from; empty if nothing feeds it."""
    values = inputs.get(name)
    if values is None:
        return {}
    step_context = context.get_step_execution_context()
    source = step_context.step.step_input_named(name).source
    assert isinstance(source, FromMultipleSources)
    handles = [handle for handle in source.step_output_handle_dependencies if step_context.can_load(handle)]
    return {
        PortRef((step_place(handle.step_key).node or "").rpartition("/")[2], node_id(handle.output_name)): value
        for handle, value in zip(handles, values, strict=True)
    }
