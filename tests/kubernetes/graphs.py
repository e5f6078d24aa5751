"""Graphs that the tests run in pods."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
SUSPENDED = 60
"""Seconds beyond which a run that only waits leaves its pod."""


def quick(name: str = "quick", **settings: Any) -> Json:
    return {
        "spec_version": 1,
        "name": name,
        "params": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
        "nodes": [
            {
                "id": "double",
                "type": "python",
                "config": {
                    "code": "def main(n: int) -> int:\n    print('doubling', n)\n    return 2 * n\n",
                    "args": {"n": "{{ params.n }}"},
                },
            }
        ],
        "outputs": {"doubled": "{{ nodes.double.result }}"},
        "settings": settings,
    }


def slow(name: str, seconds: int, **settings: Any) -> Json:
    """Keeps its pod for so long."""
    node: Json = {"id": "nap", "type": "delay", "config": {"duration": f"{seconds}s"}}
    if seconds > SUSPENDED:
        node = {"id": "nap", "type": "shell", "config": {"script": f"sleep {seconds}"}}
    return {"spec_version": 1, "name": name, "nodes": [node], "settings": settings}


def waiting(name: str, seconds: int) -> Json:
    """Leaves its pod, and has another one after so long."""
    nodes = [
        {"id": "before", "type": "transform", "config": {"value": 1}},
        {"id": "rest", "type": "delay", "config": {"duration": f"{seconds}s"}, "after": ["before"]},
        {"id": "last", "type": "transform", "config": {"value": "{{ run.status }}"}, "finally": True},
    ]
    return {"spec_version": 1, "name": name, "nodes": nodes, "outputs": {"before": "{{ nodes.before.value }}"}}


def value(name: str) -> Json:
    """The least that a run can do."""
    return {"spec_version": 1, "name": name, "nodes": [{"id": "one", "type": "transform", "config": {"value": 1}}]}


def talking(name: str, lines: int, pause: float) -> Json:
    """Writes numbered lines."""
    code = (
        "import time\n\ndef main() -> None:\n"
        f"    for number in range({lines}):\n        print('line', number)\n        time.sleep({pause})\n"
    )
    return {"spec_version": 1, "name": name, "nodes": [{"id": "talk", "type": "python", "config": {"code": code}}]}


def greedy(name: str) -> Json:
    """Takes more memory than its pod may have, in the worker's own children."""
    code = "def main() -> int:\n    return len(bytearray(b'x') * (2 << 30))\n"
    node = {"id": "eat", "type": "python", "config": {"code": code}}
    return {"spec_version": 1, "name": name, "nodes": [node], "settings": {"resources": {"memory": "320Mi"}}}


def boxed(name: str, script: str, image: str = "headrace-run:local") -> Json:
    config = {"image": image, "command": ["sh", "-c", script], "resources": {"cpu": "250m", "memory": "64Mi"}}
    return {
        "spec_version": 1,
        "name": name,
        "nodes": [{"id": "box", "type": "container", "config": config}],
        "outputs": {"said": "{{ nodes.box.result }}"},
    }
