"""A call that is one step: its graph runs node after node in there, with all that the language says of nodes.

Other calls become nested Dagster graphs (`graph_parts`), whose nodes are steps. This is for what Dagster cannot do
with a graph: run it per item, again, within a time, or so that its failure is an output.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from graph_compiler.language import params as graph_params
from graph_compiler.language.spec import GraphSpec, PortRef
from graph_compiler.nodes.node_ports import ERROR_PORT, ERRORS_PORT
from graph_compiler.nodes.node_type import NodeCall
from graph_compiler.nodes.runtime import Level
from graph_compiler.running.execution import Item, Scope, is_tried_again, is_wanted, items_of, render_outputs, run_node
from graph_compiler.running.plan import GraphPlan, PlannedNode
from graph_compiler.values.errors import NodeError, node_error

LARGEST_SHOWN = 16 * 1024
"""Characters of JSON up to which an event shows a value."""


def called_params(spec: GraphSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The params of a called graph with its defaults. Raises `NodeError` bad_params."""
    applied, issues = graph_params.apply(spec, given)
    if issues:
        found = "; ".join(f"{issue.path}: {issue.message}" for issue in issues[:5])
        raise NodeError("bad_params", f"the graph `{spec.name}`: {found}", retryable=False)
    return applied


class CallTimedOut(NodeError):
    """The call as a whole took longer than its node may."""

    def __init__(self, message: str) -> None:
        super().__init__("timeout", message)


Ended = Literal["succeeded", "skipped", "failed"]
SUCCEEDED: Ended = "succeeded"
SKIPPED: Ended = "skipped"
FAILED: Ended = "failed"
"""Also of nodes that an earlier failure kept from starting."""


class NodeFailed(Exception):
    """A node, or an item of it, failed its last attempt; `about` tells which attempt and item that was."""

    def __init__(self, error: NodeError, about: Mapping[str, Any]) -> None:
        super().__init__(str(error))
        self.error = error
        self.about = about


class CalledRun:
    """One execution of a called graph within an attempt of the node that calls it."""

    def __init__(self, plan: GraphPlan, call: NodeCall[Any], params: Mapping[str, Any]) -> None:
        self._plan = plan
        self._runtime = call.runtime
        self._path = call.node if call.item is None else f"{call.node}[{call.item}]"
        self._params = params
        self._timeout = call.timeout
        self._deadline = None if call.timeout is None else call.runtime.clock() + call.timeout
        self._values: dict[PortRef, Any] = {}
        self._ended: dict[str, Ended] = {}
        self._failure: NodeError | None = None
        self._error: Mapping[str, Any] | None = None

    def outputs(self) -> dict[str, Any]:
        """Run all nodes, then those that run last. Raises the `NodeError` of the first that failed."""
        order = self._plan.order
        try:
            self._run_all(node for node in order if not node.spec.finally_)
        except CallTimedOut as end:
            self._failure = end
            self._error = {"kind": end.kind, "message": end.message, "node": None}
        self._deadline = None
        self._run_all(node for node in order if node.spec.finally_)
        if self._failure is not None:
            raise self._failure
        return render_outputs(self._plan, self._values, self._runtime, self._scope("outputs"))

    def _run_all(self, nodes: Iterable[PlannedNode]) -> None:
        for node in nodes:
            self._ended[node.spec.id] = self._after(node) or self._run(node)

    def _scope(self, node: str, *, is_last: bool = False) -> Scope:
        status = "SUCCESS" if self._failure is None else "FAILURE"
        outcome = {"status": status, "error": self._error} if is_last else {}
        return Scope(f"{self._path}/{node}", self._params, outcome)

    def _after(self, node: PlannedNode) -> Ended | None:
        """How the node ends without running, by what was before it; None if it is to run."""
        if node.spec.finally_:
            return None
        sources = list(node.sources.values())
        earlier = [self._ended[name] for name in (*(source.node for source in sources), *node.spec.after)]
        if FAILED in earlier:
            return FAILED
        there = [source in self._values for source in sources]
        is_missing = not all(there) if not node.gathers else bool(there) and not any(there)
        if is_missing or any(self._ended[name] == SKIPPED for name in node.spec.after):
            self._emit("node.skipped", node, f"{self._path}/{node.spec.id} was skipped.")
            return SKIPPED
        return None

    def _run(self, node: PlannedNode) -> Ended:
        inputs = {port: self._values[source] for port, source in node.sources.items() if source in self._values}
        scope = self._scope(node.spec.id, is_last=node.spec.finally_)
        self._emit("node.started", node, f"{scope.name} started.")
        try:
            self._refuse_to_go_on(None)
            if not is_wanted(node, inputs, self._runtime, scope):
                self._emit("node.skipped", node, f"{scope.name} was skipped: its `when` is false.")
                return SKIPPED
            outputs = self._outputs_of(node, inputs, scope)
        except CallTimedOut:
            raise
        except NodeError as error:
            return self._failed(node, NodeFailed(error, {"attempts": 1}))
        except NodeFailed as failed:
            return self._failed(node, failed)
        for port, value in outputs.items():
            self._values[PortRef(node.spec.id, port)] = value
        self._show(node, outputs, None)
        self._emit("node.succeeded", node, f"{scope.name} succeeded.")
        return SUCCEEDED

    def _failed(self, node: PlannedNode, failed: NodeFailed) -> Ended:
        """What the node's `on_error` makes of its error. Raises it if nothing else of the call may run."""
        error = failed.error
        record = self._record(failed)
        shown = {key: record[key] for key in ("kind", "message", "attempts")}
        self._emit("node.failed", node, error.message, "error", shown)
        self._refuse_to_go_on(error)
        if node.spec.on_error == "fail":
            if self._failure is None:
                self._error = shown | {"node": node.spec.id}
                self._failure = NodeError(error.kind, f"{node.spec.id}: {error.message}", retryable=error.retryable)
            return FAILED
        if node.spec.on_error == "route":
            record |= {"node": f"{self._path}/{node.spec.id}"}
            self._values[PortRef(node.spec.id, ERROR_PORT.name)] = record
            self._show(node, {ERROR_PORT.name: record}, None)
        return SUCCEEDED

    def _outputs_of(self, node: PlannedNode, inputs: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
        if node.spec.foreach is None:
            return self._tried(node, inputs, scope, None)
        values = self._runtime.masked(items_of(node, inputs, self._runtime, scope))
        items = [Item(index, value) for index, value in enumerate(values)]
        results: list[Mapping[str, Any]] = []
        failures: list[NodeFailed] = []
        for item in items:
            self._emit("node.started", node, f"{scope.name} started.", item=item.index)
            try:
                outputs = self._tried(node, inputs, scope, item)
            except NodeFailed as failed:
                outputs = {}
                failures.append(failed)
                record = self._record(failed)
                shown = {key: record[key] for key in ("kind", "message", "attempts")}
                self._emit("node.failed", node, failed.error.message, "error", shown, item.index)
                self._refuse_to_go_on(failed.error)
            else:
                self._show(node, outputs, item.index)
                self._emit("node.succeeded", node, f"{scope.name} succeeded.", item=item.index)
            results.append(outputs)
        if failures and node.spec.on_item_error != "collect":
            raise failures[0]
        lists = {port: [outputs.get(port) for outputs in results] for port in node.outputs}
        if node.spec.on_item_error == "collect":
            name = {"node": f"{self._path}/{node.spec.id}"}
            lists[ERRORS_PORT.name] = [self._record(failed) | name for failed in failures]
        return lists

    def _tried(
        self, node: PlannedNode, inputs: Mapping[str, Any], scope: Scope, item: Item | None
    ) -> Mapping[str, Any]:
        """The outputs of the first attempt that succeeds. Raises `NodeFailed` after the last."""
        # Not at the top: Dagster, whose pauses these are, is not loaded to validate.
        from graph_compiler.running.retrying import delay_before

        number, index = 1, None if item is None else item.index
        while True:
            try:
                return run_node(self._limited(node), inputs, self._runtime, item=item, scope=scope)
            except Exception as raised:
                error = node_error(raised)
            retry = node.spec.retry
            failed = NodeFailed(error, {"attempts": number} | ({} if item is None else item.described()))
            if retry is None or self._is_late() or not is_tried_again(retry, error, number):
                raise failed
            pause = delay_before(retry, number)
            data = {"kind": error.kind, "attempts": number, "max_attempts": retry.max_attempts, "delay": pause}
            data["message"] = self._runtime.masked(error.message)
            self._emit("node.retrying", node, error.message, "warning", data, index)
            self._runtime.wait(pause)
            self._emit("node.started", node, f"{scope.name} started again.", item=index)
            number += 1

    def _record(self, failed: NodeFailed) -> dict[str, Any]:
        error = failed.error
        return {"kind": error.kind, "message": self._runtime.masked(error.message), **failed.about}

    def _is_late(self) -> bool:
        return self._deadline is not None and self._runtime.clock() >= self._deadline

    def _refuse_to_go_on(self, error: NodeError | None) -> None:
        """Raise what ends the call as a whole: that the run was cancelled, or that the call's time is over."""
        if error is None:
            self._runtime.wait(0)
        elif error.kind == "canceled":
            raise error
        if self._is_late():
            raise CallTimedOut(f"the called graph did not end within {self._timeout:g} s, the node's timeout")

    def _limited(self, node: PlannedNode) -> PlannedNode:
        """The node with no more time than is left for the call."""
        if self._deadline is None:
            return node
        left = max(0.001, self._deadline - self._runtime.clock())
        timeout = left if node.spec.timeout is None else min(left, node.spec.timeout)
        return replace(node, spec=node.spec.model_copy(update={"timeout": timeout}))

    def _show(self, node: PlannedNode, outputs: Mapping[str, Any], item: int | None) -> None:
        for port, value in outputs.items():
            data = shown_value(port, value)
            self._emit("node.output", node, f"{self._path}/{node.spec.id} gave {port}.", data=data, item=item)

    def _emit(
        self,
        type: str,
        node: PlannedNode,
        message: str,
        level: Level = "info",
        data: Mapping[str, Any] | None = None,
        item: int | None = None,
    ) -> None:
        name = f"{self._path}/{node.spec.id}"
        self._runtime.emit(type, self._runtime.masked(message), level=level, node=name, item=item, data=data)


def shown_value(port: str, value: Any) -> dict[str, Any]:
    """A port's value as events show it: itself, or how large it is."""
    size = len(json.dumps(value, separators=(",", ":")))
    return {"port": port, "value": value} if size <= LARGEST_SHOWN else {"port": port, "bytes": size}
