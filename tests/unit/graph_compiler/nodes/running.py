"""Runs one node of a type without Dagster."""

from __future__ import annotations

from typing import Any

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.language.spec import NodeSpec, PortRef
from graph_compiler.running.execution import run_node
from graph_compiler.running.plan import PlannedNode
from graph_compiler.testing.memory import MemoryRuntime


def planned(type: str, config: dict[str, Any], inputs: dict[str, Any], **keys: Any) -> PlannedNode:
    node_type = builtin_node_types()[type]
    spec = NodeSpec.model_validate({"id": "n", "type": type, "config": config, **keys})
    ports = node_type.ports(node_type.read_config(config, rendered=False))
    return PlannedNode(
        spec,
        node_type,
        {name: PortRef("upstream", "value") for name in inputs},
        {port.name: port for port in ports.inputs},
        {port.name: port for port in ports.outputs},
    )


def run(
    type: str,
    config: dict[str, Any],
    inputs: dict[str, Any] | None = None,
    runtime: MemoryRuntime | None = None,
    **keys: Any,
) -> dict[str, Any]:
    given = inputs or {}
    return run_node(planned(type, config, given, **keys), given, runtime or MemoryRuntime())
