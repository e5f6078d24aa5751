"""The kinds of work of the soak: a graph each, what one piece of it is sent, and what must have come of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
_KEYED = {
    "type": "object",
    "properties": {"key": {"type": "string"}, "n": {"type": "integer"}},
    "required": ["key", "n"],
}


@dataclass(frozen=True)
class Kind:
    """`outputs` are those of a run that ends well; `effects` how often the run calls the counting server."""

    name: str
    document: Callable[[str], Document]
    """Of the counting server's address."""
    outputs: Callable[[int], Any]
    effects: int = 0
    fails: bool = False
    """Whether the run is to fail, by what its document says."""


def _transform(id: str, value: Any, **parts: Any) -> dict[str, Any]:
    return {"id": id, "type": "transform", "config": {"value": value}, **parts}


def _call(id: str, url: str, **parts: Any) -> dict[str, Any]:
    config = {"url": url + "/{{ params.key }}/" + id, "method": "POST"}
    return {"id": id, "type": "http.request", "config": config, "repeatable": True, **parts}


def _document(name: str, *nodes: Any, edges: tuple[str, ...] = (), **parts: Any) -> dict[str, Any]:
    pairs = [edge.split(" -> ") for edge in edges]
    links = [{"from": source, "to": target} for source, target in pairs]
    return {"spec_version": 1, "name": f"soak-{name}", "params": _KEYED, "nodes": list(nodes), "edges": links, **parts}


def _light(url: str) -> Document:
    nodes = [
        _transform("a", "{{ params.n }}"),
        _transform("b", "{{ inputs.x * 2 }}"),
        _transform("c", "{{ inputs.x + 1 }}"),
    ]
    edges = ("a.value -> b.x", "b.value -> c.x")
    return _document("light", *nodes, edges=edges, outputs={"r": "{{ nodes.c.value }}"})


def _effect(url: str) -> Document:
    retry = {"max_attempts": 5, "delay": "200ms"}
    nodes = [
        _call("one", url, retry=retry),
        _transform("mid", 1, after=["one"]),
        _call("two", url, retry=retry, after=["mid"]),
    ]
    return _document("effect", *nodes, outputs={"r": "{{ params.n }}"})


def _code(url: str) -> Document:
    code = "def main(n):\n    return sum(range(n))\n"
    node = {
        "id": "code",
        "type": "python",
        "config": {"code": code, "args": {"n": "{{ params.n }}"}},
        "repeatable": True,
    }
    return _document("code", node, outputs={"r": "{{ nodes.code.result }}"})


def _items(url: str) -> Document:
    each = _transform("each", "{{ item * params.n }}", foreach="{{ range(20) | list }}")
    return _document("items", each, outputs={"r": "{{ nodes.each.value | sum }}"})


def _calls(url: str) -> Document:
    params = {"key": "{{ params.key }}", "n": "{{ item }}"}
    config = {"graph": "soak-light", "params": params}
    node = {"id": "it", "type": "graph", "config": config, "foreach": [1, 2, 3], "retry": {"max_attempts": 2}}
    return _document("calls", node, outputs={"r": "{{ nodes.it.r }}"})


def _nap(url: str) -> Document:
    nap = {"id": "nap", "type": "delay", "config": {"duration": "{{ 1 + params.n % 3 }}"}}
    return _document(
        "nap", nap, _transform("end", "{{ params.n }}", after=["nap"]), outputs={"r": "{{ nodes.end.value }}"}
    )


def _long_nap(url: str) -> Document:
    nap = {"id": "nap", "type": "delay", "config": {"duration": "{{ 7 + params.n % 5 }}"}}
    last = _transform("last", "{{ run.status }}", **{"finally": True})
    end = _transform("end", "{{ params.n }}", after=["nap"])
    return _document("long-nap", nap, end, last, outputs={"r": "{{ nodes.end.value }}"})


def _broken(url: str) -> Document:
    fails = {"id": "f", "type": "fail", "config": {"message": "as it must"}, "after": ["a"]}
    return _document("broken", _transform("a", 1), fails)


KINDS = (
    Kind("light", _light, lambda n: {"r": 2 * n + 1}),
    Kind("effect", _effect, lambda n: {"r": n}, effects=2),
    Kind("code", _code, lambda n: {"r": sum(range(n))}),
    Kind("items", _items, lambda n: {"r": 190 * n}),
    Kind("calls", _calls, lambda n: {"r": [3, 5, 7]}),
    Kind("nap", _nap, lambda n: {"r": n}),
    Kind("long-nap", _long_nap, lambda n: {"r": n}),
    Kind("broken", _broken, lambda n: None, fails=True),
)
_WEIGHTS = (6, 4, 2, 2, 2, 2, 3, 1)


def drawn(dice: random.Random) -> Kind:
    """One of the kinds, some more often than others."""
    return dice.choices(KINDS, _WEIGHTS)[0]
