"""The reference pages of node types, made from their config models: what `make docs` writes and a test compares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from graph_compiler.nodes.node_type import AnyNodeType, NodeTypes

_TYPES = {
    "string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "array": "list",
    "object": "object", "null": "null",
}  # fmt: skip
_TEMPLATE = "A template."


def index_page(node_types: NodeTypes) -> str:
    """The list of all node types."""
    rows = [f"| [`{name}`]({name}.md) | {node_type.summary} |" for name, node_type in node_types.items()]
    head = ["# Node types, one page each", "", "What holds for all of them is in [Node types](../node-types.md).", ""]
    return "\n".join([*head, "| type | what it does |", "|---|---|", *rows, ""])


def page(node_type: AnyNodeType) -> str:
    """The page of one node type, in Markdown."""
    schema = node_type.config_model.model_json_schema()
    lines = [f"# `{node_type.name}`", "", node_type.summary, ""]
    if node_type.notes:
        lines += [node_type.notes, ""]
    if node_type.secrets:
        lines += ["Its templates may use `secrets.<name>`.", ""]
    lines += _config(schema, node_type.config_model.templated_fields())
    lines += _ports(node_type, schema)
    lines += _examples(node_type.name, schema)
    lines += _failures(node_type)
    return "\n".join(lines).rstrip("\n") + "\n"


def _config(schema: dict[str, Any], templated: frozenset[str]) -> Iterator[str]:
    yield from ("## Config", "")
    yield from _fields(schema, lambda name: "yes" if name in templated else "no")
    for name, part in schema.get("$defs", {}).items():
        if "properties" in part:
            yield from (f"### {name}", "", part.get("description", ""), "")
            yield from _fields(part, None)


def _fields(schema: dict[str, Any], templates: Any) -> Iterator[str]:
    heads = ["config", "type", *(["templates"] if templates else []), "default", "meaning"]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    required = set(schema.get("required", ()))
    for name, field in schema["properties"].items():
        default = "required" if name in required else _default(field)
        cells = [f"`{name}`", _type(field), *([templates(name)] if templates else []), default, field["description"]]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _default(field: dict[str, Any]) -> str:
    default = field.get("default", ())
    return "empty" if default in ((), {}, []) else f"`{json.dumps(default)}`"


def _type(field: dict[str, Any]) -> str:
    """The type in words; templates have a column of their own."""
    options = [
        option for option in field.get("anyOf", field.get("oneOf", ())) if option.get("description") != _TEMPLATE
    ]
    if options:
        return " or ".join(dict.fromkeys(map(_type, options)))
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    kind = field.get("type")
    if kind == "array" and field.get("items"):
        return f"list of {_type(field['items'])}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict) and field["additionalProperties"]:
        return f"object of {_type(field['additionalProperties'])}"
    return _TYPES[kind] if kind else "any JSON"


def _ports(node_type: AnyNodeType, schema: dict[str, Any]) -> Iterator[str]:
    ports = node_type.ports(node_type.read_config(schema["examples"][0], rendered=False))
    yield from ("## Ports", "")
    yield from ("| port | type | meaning |", "|---|---|---|")
    for direction, declared in (("in", ports.inputs), ("out", ports.outputs)):
        for port in declared:
            needed = " Required." if port.required else ""
            yield f"| `{port.name}` ({direction}) | `{port.type}` | {port.description}{needed} |"
    yield ""
    if ports.open:
        yield from ("It also takes inputs of any name that its templates use.", "")


def _examples(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield from ("## Examples", "", "```yaml")
    for number, example in enumerate(schema["examples"], 1):
        node = {"id": f"example_{number}", "type": name, "config": example}
        yield yaml.dump([node], Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True).rstrip("\n")
    yield from ("```", "")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _failures(node_type: AnyNodeType) -> Iterator[str]:
    yield from ("## Failures", "")
    if node_type.failures:
        yield from ("| kind | meaning | tried again |", "|---|---|---|")
        for failure in node_type.failures:
            yield f"| `{failure.kind}` | {failure.meaning} | {'yes' if failure.retried else 'no'} |"
        yield ""
    yield "And the [kinds that every node has](../node-types.md#kinds-of-node-errors)."


def pages(node_types: NodeTypes) -> Mapping[str, str]:
    """Every page by its file name."""
    return {"README.md": index_page(node_types)} | {f"{name}.md": page(kind) for name, kind in node_types.items()}
