"""Runs one node on real services: what is a run's (params, secrets, events) is the fake's, the rest is real."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from definitions.execution.context import ProcessContext
from definitions.services.services import Services
from graph_compiler.testing.memory import MemoryRuntime
from tests.unit.graph_compiler.nodes.running import run


class Runtime(Services, MemoryRuntime):  # type: ignore[misc]  # files: theirs are sinks of their own
    """Real services first; the fake gives the rest."""

    def __init__(self, services: Services, **given: Any) -> None:
        MemoryRuntime.__init__(self, **given)
        self.__dict__ |= vars(services)

    def run_code(self, code: str, arguments: Mapping[str, Any], **how: Any) -> Any:
        how["network"] = self._code_rules.admit(how.get("network"))
        return self._interpreter().run(code, arguments, **how)


def run_node(services: Services, type: str, config: dict[str, Any], inputs: Any = None, **given: Any) -> dict[str, Any]:
    """The outputs of one node."""
    return run(type, config, inputs, Runtime(services, **given))


def services_of(process: ProcessContext, owner: str) -> Services:
    """What the nodes of an owner reach in this process."""
    return Services(process.settings, owner, http=process.http, interpreter=lambda: process.interpreter)
