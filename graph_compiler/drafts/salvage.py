"""What can be read of a test that is wrong somewhere, so that one mistake in it does not hide others."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from graph_compiler.language.graph_test import NODE_PATH, ExpectedError, ExpectedEvent
from graph_compiler.values.model import ID

_NODE_PATH = re.compile(NODE_PATH)
_NAME = re.compile(ID)
_ANY_EVENT = {"type": "log"}
"""In the place of an event that cannot be read: the others keep their rows."""


def readable_test(element: Any) -> Any:
    """The test without the stand-ins and expectations that do not have their shape."""
    if not isinstance(element, dict):
        return element
    test = dict(element)
    nodes, expect = test.get("nodes"), test.get("expect")
    if isinstance(nodes, dict):
        test["nodes"] = {
            name: each for name, each in nodes.items() if _NODE_PATH.match(name) and isinstance(each, dict)
        }
    if isinstance(expect, dict):
        test["expect"] = _readable_expectations(expect)
    return test


def _readable_expectations(expect: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    outputs, events, error = expect.get("outputs"), expect.get("events"), expect.get("error")
    if isinstance(events, list):
        found["events"] = [event if _is(ExpectedEvent, event) else _ANY_EVENT for event in events]
    if isinstance(outputs, dict) and outputs:
        found["outputs"] = {name: value for name, value in outputs.items() if _NAME.match(name)}
    elif _is(ExpectedError, error):
        found["error"] = error
    return found


def _is(model: type[BaseModel], data: Any) -> bool:
    try:
        model.model_validate(data)
    except ValidationError:
        return False
    return True
