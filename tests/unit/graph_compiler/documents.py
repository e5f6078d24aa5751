"""Builds valid documents for tests; a test overrides the one part it is about."""

from __future__ import annotations

import json
from typing import Any

from graph_compiler.checking.validation import check
from graph_compiler.language.spec import GraphSpec


def node(id: str, value: Any = 1, **keys: Any) -> dict[str, Any]:
    """A `transform` node, or another type with `type` and `config`."""
    return {"id": id, "type": "transform", "config": {"value": value}, **keys}


def edge(source: str, target: str) -> dict[str, Any]:
    return {"from": source, "to": target}


def document(**parts: Any) -> dict[str, Any]:
    """A valid document of one node with these parts replaced."""
    return {"spec_version": 1, "name": "test", "nodes": [node("a")], **parts}


def found(**parts: Any) -> list[tuple[str, str]]:
    """Code and path of each issue of the document with these parts."""
    return [(issue.code, issue.path) for issue in check(json.dumps(document(**parts))).issues]


def spec(**parts: Any) -> GraphSpec:
    """The spec of a document that must have no issue."""
    checked = check(json.dumps(document(**parts)))
    assert checked.issues == ()
    assert checked.spec is not None
    return checked.spec
