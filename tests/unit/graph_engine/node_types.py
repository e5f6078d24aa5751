"""Node types of tests: one that waits for the world, one that ignores what it is told, one that is not light at all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from graph_compiler.catalogue.node_types import builtin_node_types, with_node_types
from graph_compiler.nodes.node_type import AnyNodeType, NodeCall, NodeConfig, NodeType, NodeTypes, Port, Ports


class Empty(NodeConfig):
    """No keys."""


class _Tested(NodeType[Empty]):
    summary = "For tests."
    config_model = Empty

    def ports(self, config: Empty) -> Ports:
        return Ports((), (Port("value"),))


class Nap(_Tested):
    """Waits until the run is cancelled."""

    name = "nap"

    def execute(self, call: NodeCall[Empty]) -> Mapping[str, Any]:
        call.runtime.wait(60)
        return {"value": 1}


class Deaf(_Tested):
    """Computes for ever, and keeps neither its timeout nor a cancel."""

    name = "deaf"

    def execute(self, call: NodeCall[Empty]) -> Mapping[str, Any]:
        while True:
            time.sleep(0.001)


class Counted(_Tested):
    """Says how many of it run at once, and how often it ran in all; `during` is called in its thread."""

    name = "counted"

    def __init__(self, during: Callable[[NodeCall[Empty]], object] = lambda call: None) -> None:
        self.during = during
        self.running = self.most = self.total = 0
        self._lock = threading.Lock()

    def execute(self, call: NodeCall[Empty]) -> Mapping[str, Any]:
        with self._lock:
            self.running, self.total = self.running + 1, self.total + 1
            self.most = max(self.most, self.running)
        try:
            time.sleep(0.001)
            self.during(call)
        finally:
            with self._lock:
                self.running -= 1
        return {"value": self.total}


def types_with(*added: AnyNodeType) -> NodeTypes:
    return with_node_types((Nap(), Deaf(), *added), builtin_node_types())
