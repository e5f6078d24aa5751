"""The reference page of the document: every key of it, with its type, default, meaning and an example."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from graph_compiler.catalogue.node_types import builtin_node_types
from graph_compiler.catalogue.reference import default_of, type_words
from graph_compiler.checking.document_examples import EXAMPLES, MEANINGS
from graph_compiler.checking.schema import document_schema

_HEAD = """\
# The graph document

A graph is one document in YAML or JSON, version 1 of the language. A key that is not on this page is an issue. The
tables are made from the JSON Schema, which `headrace schema` prints and `GET /api/v1/schema` serves to editors.

A whole document, of which `headrace validate` checks every key:

```yaml
spec_version: 1
name: push-digest
params: { type: object, properties: { limit: { type: integer, default: 20 } } }
nodes:
  - id: numbers
    type: transform
    config: { value: "{{ range(params.limit) | list }}" }
  - id: double
    type: transform
    foreach: "{{ inputs.numbers }}"
    config: { value: "{{ item * 2 }}" }
    retry: { max_attempts: 3, delay: 500ms, backoff: exponential }
    timeout: 30s
edges:
  - { from: numbers.value, to: double.numbers }
outputs: { doubled: "{{ nodes.double.value }}" }
triggers:
  - { id: nightly, type: schedule, cron: "0 3 * * *", timezone: Europe/Berlin }
settings: { timeout: 1h, max_concurrent_runs: 4, retention: 30d }
```

## Durations

A duration is a number of seconds, or text: a number with one of the units `ms`, `s`, `m` (minutes), `h` and `d` (days
of 24 hours), such as `500ms`, `1.5s`, `30s`, `2m`, `1h` or `30d`. Units are not combined: an hour and a half is `90m`.
The longest is `3650d`. A text without a unit, and any other, is the issue `bad_duration`.

## Templates

Text with `{{ }}` is a template of Jinja2 in a sandbox; a lone `{{ }}` keeps the type of its value. Which names a
template sees, and where templates are allowed, is in [Node types](node-types.md) and [Values](values.md). What a
node's `config` takes is on [the page of its type](nodes/README.md), and what `when`, `foreach`, `on_error` and
`finally` do together in [Control flow](control-flow.md).
"""
_TITLES = {
    "GraphSpec": "The document",
    "NodeSpec": "A node (`nodes`)",
    "EdgeSpec": "An edge (`edges`)",
    "CacheSpec": "`cache` of a node",
    "RetrySpec": "`retry` of a node",
    "RepeatSpec": "`repeat` of a node",
    "SettingsSpec": "`settings`",
    "ResourcesSpec": "`settings.resources`",
    "KubernetesSpec": "`settings.kubernetes`",
    "TolerationSpec": "`settings.kubernetes.tolerations`",
    "GraphTest": "A test (`tests`)",
    "Expected": "`expect` of a test",
    "ExpectedError": "`expect.error` of a test",
    "ExpectedEvent": "An event (`expect.events` of a test)",
    "ScheduleTrigger": "A schedule (`triggers`, `type: schedule`)",
    "WebhookTrigger": "A webhook (`triggers`, `type: webhook`)",
    "ChallengeSpec": "`challenge` of a webhook",
    "RateLimitSpec": "`rate_limit` of a webhook",
    "ResultAnswer": "`respond` of a webhook, `mode: result`",
    "CustomAnswer": "`respond` of a webhook, `mode: custom`",
}


def document_models() -> dict[str, dict[str, Any]]:
    """The schemas of the objects that a document is made of, configs of node types apart, by the model's name."""
    schema = document_schema(builtin_node_types())
    definitions = schema["$defs"]
    found = {"GraphSpec": schema}
    waiting = list(_references(schema["properties"]))
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found[name] = definitions[name]
            waiting += _references(definitions[name]["properties"])
    return found


def document_page() -> str:
    """The page, in Markdown. Raises KeyError for a key without an example or a meaning."""
    models = document_models()
    lines = [_HEAD]
    for name in [*EXAMPLES, *(name for name in models if name not in EXAMPLES)]:
        lines += _section(name, models)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(name: str, models: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    model = models[name]
    yield from (f"## {_title(name, model)}", "", model.get("description", ""), "")
    yield from ("| key | type | default | meaning | example |", "|---|---|---|---|---|")
    required = set(model.get("required", ()))
    for key, field in model["properties"].items():
        meaning = MEANINGS.get(f"{name}.{key}") or field.get("description")
        if meaning is None:
            meaning = "Which of the schemes this is." if key == "scheme" else MEANINGS[f"{name}.{key}"]
        default = "required" if key in required else default_of(field)
        cells = [f"`{key}`", _type(field, models), default, meaning, f"`{key}: {EXAMPLES[name][key]}`"]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    yield ""


def _type(field: dict[str, Any], models: Mapping[str, dict[str, Any]]) -> str:
    """The type in words, with links to the sections of this page."""
    options = field.get("anyOf", field.get("oneOf", [field]))
    words = [_option(option, models) for option in options if option.get("type") != "null"]
    unique = dict.fromkeys(words)
    return " or ".join(unique)


def _option(option: dict[str, Any], models: Mapping[str, dict[str, Any]]) -> str:
    if "ms|s|m|h|d" in json.dumps(option):
        return "[duration](#durations)"
    name = option.get("$ref", "").rpartition("/")[2]
    if name in models:
        return _link(name, models)
    parts = option.get("items", {}).get("oneOf", [option.get("items", {})])
    linked = [_link(each["$ref"].rpartition("/")[2], models) for each in parts if "$ref" in each]
    if linked:
        return f"list of {' or '.join(linked)}"
    return "JSON Schema" if name else type_words(option)


def _link(name: str, models: Mapping[str, dict[str, Any]]) -> str:
    title = _title(name, models[name])
    anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    return f"[{title.replace('`', '').partition(' (')[0]}](#{anchor})"


def _title(name: str, model: Mapping[str, Any]) -> str:
    if name in _TITLES:
        return _TITLES[name]
    return f"`verify` of a webhook, `scheme: {model['properties']['scheme']['const']}`"


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, list):
        for each in part:
            yield from _references(each)
    elif isinstance(part, dict):
        reference = part.get("$ref", "")
        if reference.startswith("#/$defs/"):
            yield reference.rpartition("/")[2]
        for each in part.values():
            yield from _references(each)
