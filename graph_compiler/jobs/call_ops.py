"""The first and the last op of a called graph: one renders its params, one its outputs.

No postponed annotations here: Dagster reads the type of `context` itself.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from dagster import In, Nothing, OpDefinition, OpExecutionContext, Out, Output

from graph_compiler.jobs.attempt import Attempt
from graph_compiler.jobs.ops import FAN_IN, RESOURCES, OpSignature
from graph_compiler.running.called_run import called_params
from graph_compiler.running.execution import is_wanted, node_context, render_outputs, rendered_config
from graph_compiler.running.gathering import gathered
from graph_compiler.running.naming import ENDED_INPUT, OUTPUTS_OP, PARAMS_INPUT, PARAMS_OUTPUT
from graph_compiler.values.errors import node_error


@cache
def params_op(signature: OpSignature) -> OpDefinition:
    """Renders `when` and the params of a call; its signature has the calling node's inputs."""
    return OpDefinition(
        name=f"params__{signature.op_name}",
        compute_fn=_compute_params,
        ins=signature.ins(),
        outs={PARAMS_OUTPUT: Out(is_required=not signature.may_leave_out)},
        required_resource_keys=RESOURCES,
    )


@cache
def results_op(signature: OpSignature, reads_nodes: bool) -> OpDefinition:
    """Renders the outputs of a called graph once its nodes have ended; its signature has the call's outputs."""
    ins = {PARAMS_INPUT: In(), ENDED_INPUT: In(Nothing)} | ({FAN_IN: In()} if reads_nodes else {})
    return OpDefinition(
        name=f"{OUTPUTS_OP}of_{signature.op_name}{'' if reads_nodes else '_alone'}",
        compute_fn=_compute_results,
        ins=ins,
        outs=signature.outs(),
        required_resource_keys=RESOURCES,
    )


def _compute_params(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    attempt = Attempt(context, inputs)
    node, runtime = attempt.node, attempt.runtime
    try:
        values = attempt.inputs()
        if not is_wanted(node, values, runtime, attempt.scope):
            attempt.skip()
            return
        config = rendered_config(node, node_context(runtime, values, attempt.scope))
        params = called_params(attempt.plan.graph_at(attempt.name).spec, config.params)
    except Exception as raised:
        error = node_error(raised)
    else:
        yield Output(runtime.masked(params), PARAMS_OUTPUT)
        return
    raise attempt.failure(error)


def _compute_results(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    attempt = Attempt(context, inputs)
    plan = attempt.plan.graph_at(attempt.name)
    try:
        outputs = render_outputs(plan, gathered(context, FAN_IN, inputs), attempt.runtime, attempt.scope)
    except Exception as raised:
        error = node_error(raised)
    else:
        yield from attempt.outputs(attempt.runtime.masked(outputs))
        return
    raise attempt.failure(error)
