"""Graph documents of the end-to-end tests."""

from __future__ import annotations

from typing import Any


def adder(version: int = 1) -> dict[str, Any]:
    """A Python node between two transforms; its outputs tell the version that ran."""
    return {
        "spec_version": 1,
        "name": "adder",
        "params": {
            "type": "object",
            "properties": {"numbers": {"type": "array", "items": {"type": "number"}}},
            "required": ["numbers"],
        },
        "nodes": [
            {"id": "numbers", "type": "transform", "config": {"value": "{{ params.numbers }}"}},
            {
                "id": "total",
                "type": "python",
                "config": {"code": "def main(numbers):\n    print('adding', len(numbers))\n    return sum(numbers)\n"},
            },
            {"id": "answer", "type": "transform", "config": {"value": {"total": "{{ inputs.total }}"}}},
        ],
        "edges": [
            {"from": "numbers.value", "to": "total.numbers"},
            {"from": "total.result", "to": "answer.total"},
        ],
        "outputs": {"answer": "{{ nodes.answer.value }}", "version": version},
    }


def sleeper(version: int = 1) -> dict[str, Any]:
    """Waits `seconds`; its outputs tell the version that ran."""
    return {
        "spec_version": 1,
        "name": "sleeper",
        "params": {"type": "object", "properties": {"seconds": {"type": "number", "default": 1}}},
        "nodes": [{"id": "nap", "type": "delay", "config": {"duration": "{{ params.seconds }}"}}],
        "edges": [],
        "outputs": {"version": version},
    }


def fragile() -> dict[str, Any]:
    """Fails until its file store has `mended.txt`; says what was executed."""
    return {
        "spec_version": 1,
        "name": "fragile",
        "nodes": [
            {"id": "before", "type": "transform", "config": {"value": 20}},
            {"id": "reads", "type": "file.read", "after": ["before"], "config": {"file": "mended.txt"}},
            {"id": "sum", "type": "transform", "config": {"value": "{{ inputs.a + (inputs.b | int) }}"}},
        ],
        "edges": [{"from": "before.value", "to": "sum.a"}, {"from": "reads.content", "to": "sum.b"}],
        "outputs": {"sum": "{{ nodes.sum.value }}"},
    }


def mending() -> dict[str, Any]:
    """Writes the file that `fragile` reads."""
    return {
        "spec_version": 1,
        "name": "mending",
        "nodes": [{"id": "write", "type": "file.write", "config": {"path": "mended.txt", "content": "22"}}],
    }
