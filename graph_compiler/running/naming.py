"""Graph names and node ids to legal Dagster names and back, without two of ours ever meeting in one of Dagster's."""

from __future__ import annotations

import keyword
from functools import lru_cache
from typing import Literal, NamedTuple

# `dagster_name` gives none of these, nor a name with one of these endings, to a node or port.
OUTPUTS_OP = "outputs_"
"""Alias of the op that renders a graph's outputs."""
PARAMS_OP = "params_"
"""Alias of the op that renders the params of a called graph."""
PARAMS_INPUT = "params_"
"""The input by which each node of a called graph gets that graph's params."""
PARAMS_OUTPUT = "params_"
ENDED_INPUT = "ended_"
"""The input that waits for all nodes of a called graph, whichever were skipped."""
INPUTS_INPUT = "inputs_"
"""The one input of nodes that take whatever there is."""
DONE_OUTPUT = "done_"
"""The output that only orders."""
_EXPAND = "_expand_"
_COLLECT = "_collect_"

DAGSTER_RESERVED = frozenset(
    [
        "arg_dict",
        "bool",
        "conf",
        "config",
        "context",
        "dict",
        "float",
        "input",
        "input_arg_dict",
        "int",
        "meta",
        "output",
        "output_arg_dict",
        "str",
        "type",
    ]
)


def dagster_name(name: str) -> str:
    """The op alias of a node id, or the input or output name of a port."""
    reserved = name in DAGSTER_RESERVED or keyword.iskeyword(name) or name.endswith("_")
    return name + "_" if reserved else name


def node_id(name: str) -> str:
    """The node id (or port) that `dagster_name` turned into `name`."""
    return name.removesuffix("_")


def after_input(index: int) -> str:
    """The input that waits for the node's `after` of that index."""
    return f"after_{index}_"


def expand_name(node: str) -> str:
    """Alias of the op that makes the items of a `foreach` node; the node's own name is that of each item's step."""
    return f"{node}{_EXPAND}"


def collect_name(node: str) -> str:
    """Alias of the op that puts the items' results together."""
    return f"{node}{_COLLECT}"


Role = Literal["node", "expand", "collect", "params", "outputs"]


class StepPlace(NamedTuple):
    """What a Dagster step is to a reader of the document: `node` is `call/inner` inside of a called graph."""

    node: str | None
    item: int | None
    role: Role


@lru_cache(maxsize=4096)
def step_place(step_key: str) -> StepPlace:
    """The node, foreach item and role of a step key: `call.name[3]` is item 3 of `call/name`."""
    path, bracket, key = step_key.partition("[")
    item = int(key.rstrip("]")) if bracket and key.rstrip("]").isdigit() else None
    *outer, name = path.split(".")
    role: Role = "node"
    own: list[str] = []
    if name == OUTPUTS_OP:
        role = "outputs"
    elif name == PARAMS_OP:
        role = "params"
    elif name.endswith(_EXPAND):
        role, own = "expand", [name.removesuffix(_EXPAND)]
    elif name.endswith(_COLLECT):
        role, own = "collect", [name.removesuffix(_COLLECT)]
    else:
        own = [node_id(name)]
    return StepPlace("/".join([*map(node_id, outer), *own]) or None, item, role)


def step_key(node: str) -> str:
    """The step key of a node as events name it: of `call/inner` that is `call.inner`, of `poll#5` `poll`."""
    return ".".join([dagster_name(name.partition("#")[0]) for name in node.split("/")])


def job_name(owner: str, graph: str) -> str:
    """The Dagster job name of an owner's graph."""
    return f"{owner}__{graph}".replace("-", "_")


def owner_and_graph(name: str) -> tuple[str, str]:
    """The owner and graph that `job_name` turned into `name`: owner names have no `--` and end in no `-`."""
    owner, _, graph = name.partition("__")
    return owner.replace("_", "-"), graph.replace("_", "-")
