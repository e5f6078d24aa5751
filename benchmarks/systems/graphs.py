"""The graphs that the scenarios run."""

from __future__ import annotations

from typing import Any

FIB = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def main(n, before=None):
    return fib(n)
"""
TICKS = """
import time

def main(count, pause):
    for number in range(count):
        print(number)
        time.sleep(pause)
"""


def chain(name: str, length: int) -> dict[str, Any]:
    """Light nodes, each passing the value of the one before it on."""
    nodes = [_transform("n0", "{{ params.value }}")]
    nodes += [_transform(f"n{number}", "{{ inputs.value }}") for number in range(1, length)]
    edges = [{"from": f"n{number}.value", "to": f"n{number + 1}.value"} for number in range(length - 1)]
    params = {"type": "object", "properties": {"value": {"type": "integer", "default": 1}}}
    return {
        "spec_version": 1,
        "name": name,
        "params": params,
        "nodes": nodes,
        "edges": edges,
        "outputs": {"value": f"{{{{ nodes.n{length - 1}.value }}}}"},
    }


def fib_chain(name: str, length: int) -> dict[str, Any]:
    """Code nodes that compute fib(10), one after the other."""
    nodes = [_python(f"n{number}", FIB, {"n": 10}) for number in range(length)]
    edges = [{"from": f"n{number}.result", "to": f"n{number + 1}.before"} for number in range(length - 1)]
    return {"spec_version": 1, "name": name, "nodes": nodes, "edges": edges}


def fib_side_by_side(name: str, count: int, n: int, at_once: int) -> dict[str, Any]:
    """Code nodes that compute fib(n), `at_once` of them at a time."""
    nodes = [_python(f"n{number}", FIB, {"n": n}) for number in range(count)]
    return {"spec_version": 1, "name": name, "nodes": nodes, "settings": {"max_parallel": at_once}}


def delays(name: str, count: int, seconds: float, at_once: int) -> dict[str, Any]:
    """Nodes that wait, `at_once` of them at a time."""
    nodes = [{"id": f"n{number}", "type": "delay", "config": {"duration": seconds}} for number in range(count)]
    return {"spec_version": 1, "name": name, "nodes": nodes, "settings": {"max_parallel": at_once}}


def items(name: str, count: int) -> dict[str, Any]:
    """One light node that runs once per item."""
    node = _transform("each", "{{ item + 1 }}") | {"foreach": f"{{{{ range({count}) | list }}}}"}
    return {
        "spec_version": 1,
        "name": name,
        "nodes": [node],
        "outputs": {"count": "{{ nodes.each.value | length }}"},
    }


def code_node(name: str) -> dict[str, Any]:
    """One code node that does nothing."""
    return {"spec_version": 1, "name": name, "nodes": [_python("code", "def main(): pass", {})]}


def ticks(name: str, count: int, pause: float) -> dict[str, Any]:
    """One code node that prints `count` lines, one each `pause` seconds."""
    nodes = [_python("ticks", TICKS, {"count": count, "pause": pause})]
    return {"spec_version": 1, "name": name, "nodes": nodes, "edges": []}


def _transform(node: str, value: str) -> dict[str, Any]:
    return {"id": node, "type": "transform", "config": {"value": value}}


def _python(node: str, code: str, args: dict[str, Any]) -> dict[str, Any]:
    return {"id": node, "type": "python", "config": {"code": code, "args": args}}
