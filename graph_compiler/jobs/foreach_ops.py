"""The three ops of a `foreach` node: one makes the items, one runs for each of them, one puts the results together.

No postponed annotations here: Dagster reads the type of `context` itself.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from dagster import DynamicOut, DynamicOutput, In, OpDefinition, OpExecutionContext, Out, Output

from graph_compiler.jobs.attempt import Attempt
from graph_compiler.jobs.ops import RESOURCES, OpSignature
from graph_compiler.nodes.node_ports import ERRORS_PORT
from graph_compiler.running.execution import Item, is_wanted, items_of, run_node
from graph_compiler.values.errors import NodeError, node_error

ITEM_INPUT = "item_"
ITEMS_OUTPUT = "items_"
EXPANDED = "expanded_"
"""From the first op to the last: that there are items, or why there are none."""
RESULT = "result_"
RESULTS_INPUT = "results_"


@cache
def expand_op(signature: OpSignature) -> OpDefinition:
    """Renders `when` and `foreach`; its signature has the node's inputs."""
    return OpDefinition(
        name=f"expand__{signature.op_name}",
        compute_fn=_expand,
        ins=signature.ins(),
        outs={ITEMS_OUTPUT: DynamicOut(), EXPANDED: Out(is_required=False)},
        required_resource_keys=RESOURCES,
    )


@cache
def item_op(signature: OpSignature) -> OpDefinition:
    """Runs the node for one item; its signature has the inputs that each item takes."""
    return OpDefinition(
        name=f"item__{signature.op_name}",
        compute_fn=_run_item,
        ins={ITEM_INPUT: In(), **signature.ins()},
        outs={RESULT: Out()},
        required_resource_keys=RESOURCES,
        tags={"headrace/node_type": signature.node_type},
    )


@cache
def collect_op(signature: OpSignature) -> OpDefinition:
    """Makes lists of the items' outputs; its signature has the node's outputs."""
    return OpDefinition(
        name=f"collect__{signature.op_name}",
        compute_fn=_collect,
        ins={RESULTS_INPUT: In(), EXPANDED: In()},
        outs=signature.outs(),
        required_resource_keys=RESOURCES,
    )


def _expand(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any] | DynamicOutput[Any]]:
    attempt = Attempt(context, inputs)
    try:
        values = attempt.inputs()
        if not is_wanted(attempt.node, values, attempt.runtime, attempt.scope):
            attempt.skip()
            return
        items = items_of(attempt.node, values, attempt.runtime, attempt.scope)
    except Exception as raised:
        error = node_error(raised)
    else:
        for index, item in enumerate(attempt.runtime.masked(items)):
            yield DynamicOutput(item, str(index), ITEMS_OUTPUT)
        yield Output({"count": len(items)}, EXPANDED)
        return
    if attempt.node.spec.on_error == "fail":
        raise attempt.failure(error)
    yield Output({"error": attempt.describe(error)}, EXPANDED)


def _run_item(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    attempt = Attempt(context, inputs)
    item = Item(attempt.place.item or 0, inputs[ITEM_INPUT])
    try:
        outputs = run_node(attempt.node, attempt.inputs(), attempt.runtime, item=item, scope=attempt.scope)
    except Exception as raised:
        error = node_error(raised)
    else:
        yield Output({"outputs": outputs}, RESULT)
        return
    attempt.retry(error)
    if attempt.node.spec.on_error == "fail" and attempt.node.spec.on_item_error != "collect":
        raise attempt.failure(error)
    attempt.emit("node.failed", error, "error", attempt.describe(error))
    yield Output({"error": attempt.describe(error) | attempt.runtime.masked(item.described())}, RESULT)


def _collect(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
    attempt = Attempt(context, inputs)
    node, results = attempt.node, inputs[RESULTS_INPUT]
    failed = [inputs[EXPANDED]["error"]] if "error" in inputs[EXPANDED] else []
    errors = [result["error"] | {"node": attempt.name} for result in results if "error" in result]
    if not failed and node.spec.on_item_error != "collect":
        failed = errors
    if failed:
        first = failed[0]
        yield from attempt.ended(NodeError(first["kind"], first["message"], retryable=False), first)
        return
    lists = {port: [result.get("outputs", {}).get(port) for result in results] for port in node.outputs}
    if node.spec.on_item_error == "collect":
        lists[ERRORS_PORT.name] = errors
    yield from attempt.outputs(lists)
