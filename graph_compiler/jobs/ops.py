"""Dagster ops for nodes: one definition per node type and port signature, shared by all jobs of the process.

An op knows nothing of its node; it finds it in the job's `plan` resource by its step. Dagster refuses two
different ops of one name in a repository, and sharing them keeps a repository of thousands of graphs small.
No postponed annotations here: Dagster reads the type of `context` itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from dagster import In, Nothing, OpDefinition, OpExecutionContext, Out, Output

from graph_compiler.jobs.attempt import Attempt
from graph_compiler.running.execution import is_wanted, render_outputs, run_node
from graph_compiler.running.gathering import gathered
from graph_compiler.running.naming import DONE_OUTPUT, INPUTS_INPUT, OUTPUTS_OP, PARAMS_INPUT, after_input
from graph_compiler.values.errors import NodeError, node_error

RESOURCES = {"runtime", "plan"}
FAN_IN = "values"
OUTPUTS_PORT = "outputs"


@dataclass(frozen=True)
class OpSignature:
    """What makes two nodes share an op definition: ports by Dagster name, and what orders or may skip them."""

    node_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    afters: int = 0
    gathers: bool = False
    is_awaited: bool = False
    may_leave_out: bool = False
    is_called: bool = False
    """Whether it is in a called graph, and so takes that graph's params."""

    @property
    def op_name(self) -> str:
        """Readable, and different for different signatures."""
        digest = sha256(repr(self).encode()).hexdigest()[:12]
        return f"{self.node_type.replace('.', '_').replace('-', '_')}__{digest}"

    def ins(self) -> dict[str, In]:
        """Dagster's inputs."""
        names = (INPUTS_INPUT,) if self.gathers and self.inputs else self.inputs
        ins = {name: In() for name in names} | {after_input(index): In(Nothing) for index in range(self.afters)}
        return ins | ({PARAMS_INPUT: In()} if self.is_called else {})

    def outs(self) -> dict[str, Out]:
        """Dagster's outputs."""
        outs = {name: Out(is_required=not self.may_leave_out) for name in self.outputs}
        if self.is_awaited:
            outs[DONE_OUTPUT] = Out(Nothing, is_required=not self.may_leave_out)
        return outs


@cache
def node_op(signature: OpSignature) -> OpDefinition:
    """The op definition of every node with this signature."""
    return OpDefinition(
        name=signature.op_name,
        compute_fn=_compute_node,
        ins=signature.ins(),
        outs=signature.outs(),
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
    attempt = Attempt(context, inputs)
    node, runtime = attempt.node, attempt.runtime
    try:
        values = attempt.inputs()
        if not is_wanted(node, values, runtime, attempt.scope):
            attempt.skip()
            return
        outputs = run_node(node, values, runtime, scope=attempt.scope)
    except Exception as raised:
        error = node_error(raised)
    else:
        yield from attempt.outputs(outputs)
        return
    # Not inside the except: the original error would be in Dagster's log as the context of ours, secrets and all.
    attempt.retry(error)
    yield from attempt.ended(error)


def _compute_outputs(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    attempt = Attempt(context, inputs)
    try:
        outputs = render_outputs(attempt.plan, gathered(context, FAN_IN, inputs), attempt.runtime)
    except NodeError as raised:
        error = raised
    else:
        yield Output(attempt.runtime.masked(outputs), OUTPUTS_PORT)
        return
    raise attempt.failure(error)
