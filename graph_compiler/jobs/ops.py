"""Dagster ops for nodes: one definition per node type and port signature, shared by all jobs of the process.

They are what Dagster draws and plans; none of them is executed. Dagster refuses two different ops of one name in a
repository, and sharing them keeps a repository of thousands of graphs small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from dagster import DynamicOut, In, Nothing, OpDefinition, Out

from graph_compiler.jobs.execution_elsewhere import refuse
from graph_compiler.running.naming import (
    DONE_OUTPUT,
    ENDED_INPUT,
    INPUTS_INPUT,
    OUTPUTS_OP,
    PARAMS_INPUT,
    PARAMS_OUTPUT,
    after_input,
)

FAN_IN = "values"
OUTPUTS_PORT = "outputs"
ITEM_INPUT = "item_"
ITEMS_OUTPUT = "items_"
EXPANDED = "expanded_"
"""From the first op of a `foreach` to the last: that there are items."""
RESULT = "result_"
RESULTS_INPUT = "results_"
_RESOURCES = {"runtime"}


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
    """The op of every node with this signature."""
    tags = {"headrace/node_type": signature.node_type}
    return _op(signature.op_name, signature.ins(), signature.outs(), tags)


@cache
def outputs_op(reads_nodes: bool) -> OpDefinition:
    """The op that renders a graph's outputs from the list of ports its templates read."""
    name = OUTPUTS_OP if reads_nodes else f"{OUTPUTS_OP}alone"
    return _op(name, {FAN_IN: In()} if reads_nodes else {}, {OUTPUTS_PORT: Out()})


@cache
def expand_op(signature: OpSignature) -> OpDefinition:
    """The first op of a `foreach`, which makes the items; its signature has the node's inputs."""
    outs = {ITEMS_OUTPUT: DynamicOut(), EXPANDED: Out(is_required=False)}
    return _op(f"expand__{signature.op_name}", signature.ins(), outs)


@cache
def item_op(signature: OpSignature) -> OpDefinition:
    """The op of each item; its signature has the inputs that each item takes."""
    ins = {ITEM_INPUT: In(), **signature.ins()}
    return _op(f"item__{signature.op_name}", ins, {RESULT: Out()}, {"headrace/node_type": signature.node_type})


@cache
def collect_op(signature: OpSignature) -> OpDefinition:
    """The last op of a `foreach`, which makes lists of the items' outputs; its signature has the node's outputs."""
    return _op(f"collect__{signature.op_name}", {RESULTS_INPUT: In(), EXPANDED: In()}, signature.outs())


@cache
def params_op(signature: OpSignature) -> OpDefinition:
    """The first op of a called graph, which renders its params; its signature has the calling node's inputs."""
    outs = {PARAMS_OUTPUT: Out(is_required=not signature.may_leave_out)}
    return _op(f"params__{signature.op_name}", signature.ins(), outs)


@cache
def results_op(signature: OpSignature, reads_nodes: bool) -> OpDefinition:
    """The last op of a called graph, which renders its outputs; its signature has the call's outputs."""
    ins = {PARAMS_INPUT: In(), ENDED_INPUT: In(Nothing)} | ({FAN_IN: In()} if reads_nodes else {})
    name = f"{OUTPUTS_OP}of_{signature.op_name}{'' if reads_nodes else '_alone'}"
    return _op(name, ins, signature.outs())


def _op(
    name: str,
    ins: dict[str, In],
    outs: dict[str, Out] | dict[str, DynamicOut | Out],
    tags: dict[str, str] | None = None,
) -> OpDefinition:
    return OpDefinition(name=name, compute_fn=refuse, ins=ins, outs=outs, required_resource_keys=_RESOURCES, tags=tags)
