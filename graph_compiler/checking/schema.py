"""The JSON Schema of the document, with every node type's config, so that editors complete and check it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from graph_compiler.language.params import DIALECT
from graph_compiler.language.spec import GraphSpec
from graph_compiler.nodes.node_type import NodeTypes


def document_schema(node_types: NodeTypes) -> dict[str, Any]:
    """JSON Schema 2020-12 of a graph document whose nodes are of these types."""
    models: list[type[BaseModel]] = [GraphSpec, *(node_type.config_model for node_type in node_types.values())]
    references, generated = models_json_schema([(model, "validation") for model in models])
    definitions = generated["$defs"]
    node = definitions["NodeSpec"]
    node["properties"]["type"] |= {"enum": list(node_types)}
    node["allOf"] = [
        _config_of(name, references[node_type.config_model, "validation"], node_type.config_model.model_json_schema())
        for name, node_type in node_types.items()
    ]
    graph = definitions.pop("GraphSpec")
    graph["properties"]["params"] |= {"$ref": DIALECT}
    return {"$schema": DIALECT, **graph, "$defs": definitions}


def _config_of(name: str, reference: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """If a node is of this type, its config is of that model."""
    then: dict[str, Any] = {"properties": {"config": reference}}
    if config.get("required"):
        then["required"] = ["config"]
    return {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": then}
