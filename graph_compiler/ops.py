"""Dagster ops for nodes: one definition per node type and port signature, shared by all jobs of the process.

An op knows nothing of its node; it finds it in the job's `plan` resource by its alias. Dagster refuses two
different ops of one name in a repository, and sharing them keeps a repository of thousands of graphs small.
No postponed annotations here: Dagster reads the type of `context` itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from dagster import Failure, In, Nothing, OpDefinition, OpExecutionContext, Out, Output

from .errors import NodeError
from .execution import render_outputs, run_node
from .naming import AFTER_INPUT, OUTPUTS_OP, dagster_name, node_id

RESOURCES = {"runtime", "plan"}
FAN_IN = "values"
OUTPUTS_PORT = "outputs"


@dataclass(frozen=True)
class OpSignature:
    """What makes two nodes share an op definition: ports by Dagster name, and whether something orders them."""

    node_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ordered: bool

    @property
    def op_name(self) -> str:
        """Readable, and different for different signatures."""
        digest = sha256(repr(self).encode()).hexdigest()[:12]
        return f"{self.node_type.replace('.', '_').replace('-', '_')}__{digest}"


@cache
def node_op(signature: OpSignature) -> OpDefinition:
    """The op definition of every node with this signature."""
    ins = {name: In() for name in signature.inputs}
    if signature.ordered:
        ins[AFTER_INPUT] = In(Nothing)
    return OpDefinition(
        name=signature.op_name,
        compute_fn=_compute_node,
        ins=ins,
        outs={name: Out() for name in signature.outputs},
        required_resource_keys=RESOURCES,
        tags={"headrace/node_type": signature.node_type},
    )


@cache
def outputs_op(reads_nodes: bool) -> OpDefinition:
    """The op that renders a graph's outputs from the list of ports its templates read."""
    return OpDefinition(
        name=OUTPUTS_OP if reads_nodes else f"{OUTPUTS_OP}alone",
        compute_fn=_compute_outputs,
        ins={FAN_IN: In()} if reads_nodes else {},
        outs={OUTPUTS_PORT: Out()},
        required_resource_keys=RESOURCES,
    )


def _compute_node(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    node = context.resources.plan.nodes[context.op_handle.name]
    values = {node_id(name): value for name, value in inputs.items() if name != AFTER_INPUT}
    try:
        outputs = run_node(node, values, context.resources.runtime)
    except NodeError as error:
        raise _failure(error) from error
    for name, value in outputs.items():
        yield Output(value, dagster_name(name))


def _compute_outputs(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    try:
        outputs = render_outputs(context.resources.plan, inputs.get(FAN_IN, []), context.resources.runtime)
    except NodeError as error:
        raise _failure(error) from error
    yield Output(outputs, OUTPUTS_PORT)


def _failure(error: NodeError) -> Failure:
    return Failure(
        description=str(error),
        metadata={"kind": error.kind, "message": error.message},
        allow_retries=error.retryable,
    )
