"""Runs one node on real services: what is a run's (params, secrets, events) is the fake's, the rest is real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from definitions.services.services import Services
from graph_compiler.testing.memory import MemoryRuntime
from tests.unit.graph_compiler.nodes.running import run


class Runtime(Services, MemoryRuntime):
    """Real services first; the fake gives the rest."""

    def __init__(self, services: Services, **given: Any) -> None:
        MemoryRuntime.__init__(self, **given)
        self.__dict__ |= vars(services)

    def run_code(self, code: str, arguments: Mapping[str, Any], **how: Any) -> Any:
        return self._services.interpreter.run(code, arguments, **how)


def run_node(services: Services, type: str, config: dict[str, Any], inputs: Any = None, **given: Any) -> dict[str, Any]:
    """The outputs of one node."""
    return run(type, config, inputs, Runtime(services, **given))
