"""One execution of one Dagster step of a node: who it is, what it takes, and what becomes of its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import Failure, OpExecutionContext, Output, RetryRequested

from graph_compiler.nodes.node_ports import ERROR_PORT
from graph_compiler.nodes.runtime import NodeRuntime
from graph_compiler.running.execution import Scope, is_tried_again
from graph_compiler.running.gathering import gathered
from graph_compiler.running.naming import DONE_OUTPUT, INPUTS_INPUT, PARAMS_INPUT, dagster_name, step_place
from graph_compiler.running.plan import GraphPlan, PlannedNode
from graph_compiler.running.retrying import delay_before
from graph_compiler.values.errors import NodeError


class Attempt:
    """What an op's function knows of its step."""

    def __init__(self, context: OpExecutionContext, inputs: Mapping[str, Any]) -> None:
        self.context = context
        self.runtime: NodeRuntime = context.resources.runtime
        self.plan: GraphPlan = context.resources.plan
        self.place = step_place(context.get_step_execution_context().step.key)
        self.name = self.place.node or ""
        self.scope = Scope(self.name, inputs.get(PARAMS_INPUT, self.runtime.params))
        self._given = inputs

    @property
    def node(self) -> PlannedNode:
        return self.plan.node_at(self.name)

    @property
    def number(self) -> int:
        """Of this attempt, from 1."""
        return self.context.retry_number + 1

    def inputs(self) -> dict[str, Any]:
        """The values at the node's input ports, in the order of its edges."""
        node = self.node
        if node.gathers:
            there = gathered(self.context, INPUTS_INPUT, self._given)
            return {port: there[source] for port, source in node.sources.items() if source in there}
        return {port: self._given[dagster_name(port)] for port in node.sources if dagster_name(port) in self._given}

    def skip(self) -> None:
        """Say that the node's condition does not hold."""
        self.runtime.emit("node.skipped", f"{self.name} was skipped: its `when` is false.", node=self.name)

    def outputs(self, values: Mapping[str, Any]) -> Iterator[Output[Any]]:
        """Give these values, and the sign that the node has ended."""
        for name, value in values.items():
            yield Output(value, dagster_name(name))
        if self.node.is_awaited:
            yield Output(None, DONE_OUTPUT)

    def retry(self, error: NodeError) -> None:
        """Raise Dagster's wish to try again, if the node's `retry` has it."""
        retry = self.node.spec.retry
        if retry is None or not is_tried_again(retry, error, self.number):
            return
        delay = delay_before(retry, self.number)
        data = self.describe(error) | {"max_attempts": retry.max_attempts, "delay": delay}
        self.emit("node.retrying", error, "warning", data)
        raise RetryRequested(retry.max_attempts - 1, delay) from self.failure(error)

    def ended(self, error: NodeError, about: Mapping[str, Any] | None = None) -> Iterator[Output[Any]]:
        """What the node's `on_error` makes of an error that no attempt follows. Raises Dagster's Failure for `fail`.

        `about` is the record of the item that failed the node: its attempts, `item` and `value`.
        """
        if self.node.spec.on_error == "fail" or error.kind == "canceled":
            raise self.failure(error)
        record = {**self.describe(error), **(about or {})}
        self.emit("node.failed", error, "error", {key: record[key] for key in ("kind", "message", "attempts")})
        routed = {ERROR_PORT.name: record | {"node": self.name}}
        yield from self.outputs(routed if self.node.spec.on_error == "route" else {})

    def emit(self, type: str, error: NodeError, level: Any, data: Mapping[str, Any]) -> None:
        message = self.runtime.masked(error.message)
        self.runtime.emit(type, message, level=level, node=self.name, item=self.place.item, data=data)

    def describe(self, error: NodeError) -> dict[str, Any]:
        return {"kind": error.kind, "message": self.runtime.masked(error.message), "attempts": self.number}

    def failure(self, error: NodeError) -> Failure:
        """The error as Dagster's UI and the event storage show it."""
        described = self.describe(error)
        return Failure(f"{error.kind}: {described['message']}", described, allow_retries=False)
