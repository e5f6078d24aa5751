"""Graph names and node ids to legal Dagster names and back, without two of ours ever meeting in one of Dagster's."""

from __future__ import annotations

import keyword

OUTPUTS_OP = "outputs_"
"""Alias of the op that renders a graph's outputs; `dagster_name` never gives it to a node."""
AFTER_INPUT = "after_"
"""Name of the input that only orders; `dagster_name` never gives it to a port."""

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


def job_name(owner: str, graph: str) -> str:
    """The Dagster job name of an owner's graph."""
    return f"{owner}__{graph}".replace("-", "_")


def owner_and_graph(name: str) -> tuple[str, str]:
    """The owner and graph that `job_name` turned into `name`: owner names have no `--` and end in no `-`."""
    owner, _, graph = name.partition("__")
    return owner.replace("_", "-"), graph.replace("_", "-")
