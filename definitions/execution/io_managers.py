"""Where values between nodes are kept: in the worker's memory for its own steps, and durably as JSON for everyone else.

A value is handed to the event storage before its step is said to have succeeded, in the same order; so anybody who sees
the step's success finds the value.
"""

from __future__ import annotations

import time
from typing import Any

from dagster import Failure, InitResourceContext, InputContext, IOManager, OutputContext, io_manager

from definitions.execution.context import process_context
from definitions.instance.event_statement import NewValue
from definitions.instance.event_storage import PooledEventStorage, event_storage_of
from definitions.instance.run_events import NewEvent
from definitions.journal.values import LARGEST_INLINE, LARGEST_SHOWN, LARGEST_VALUE, too_large
from definitions.services.spilled_values import SpilledValues
from graph_compiler.jobs.foreach_ops import RESULT
from graph_compiler.running.naming import OUTPUTS_OP, StepPlace, node_id, step_place
from graph_compiler.values.binary import compact, loads


class ValueStore(IOManager):
    """Keeps values as JSON; a run's outputs go to the run itself. Refuses a value of more than 32 MiB of JSON."""

    def __init__(self, storage: PooledEventStorage, spilled: SpilledValues) -> None:
        self._storage = storage
        self._spilled = spilled
        self._memory: dict[tuple[str, str], Any] = {}

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        text = compact(obj)
        if len(text) > LARGEST_VALUE:
            message = too_large(_place(context), len(text))
            attempts = context.step_context.previous_attempt_count + 1
            described: dict[str, str | int] = {"kind": "value_too_large", "message": message, "attempts": attempts}
            raise Failure(message, described, allow_retries=False)
        if context.step_key == OUTPUTS_OP:
            self._storage.store_outputs(context.run_id, text)
            return
        self._memory[context.step_key, _port(context)] = obj
        location = self._spilled.write(context.run_id, text) if len(text) > LARGEST_INLINE else None
        value = NewValue(context.step_key, _port(context), text if location is None else None, location)
        self._storage.store_value(context.run_id, value, _shown(context.step_key, context.name, obj, text))

    def load_input(self, context: InputContext) -> Any:
        upstream = context.upstream_output
        if upstream is None:
            raise KeyError(f"input {context.name} has no upstream output")
        try:
            return self._memory[upstream.step_key, _port(upstream)]
        except KeyError:
            stored = self._storage.read_value(upstream.run_id, upstream.step_key, _port(upstream))
            return loads(self._spilled.read(stored.location) if stored.location else stored.text or "null")


def _port(context: OutputContext) -> str:
    """The output's name, of a dynamic one with its item."""
    return context.name if context.mapping_key is None else f"{context.name}[{context.mapping_key}]"


def _place(context: OutputContext) -> str:
    if context.step_key == OUTPUTS_OP:
        return "the run's outputs"
    return "the item's outputs" if context.name == RESULT else f"output {node_id(context.name)}"


def _shown(step_key: str, name: str, value: Any, text: str) -> list[NewEvent]:
    """The events that show a node's outputs; none for what only goes from one of its steps to the next."""
    found = step_place(step_key)
    if name == RESULT and found.item is not None:
        outputs = value.get("outputs", {})
        return [_output(found, port, item, compact(item)) for port, item in outputs.items()]
    if found.role not in ("node", "collect", "outputs"):
        return []
    return [_output(found, node_id(name), value, text)]


def _output(found: StepPlace, port: str, value: Any, text: str) -> NewEvent:
    data = {"port": port, "value": value} if len(text) <= LARGEST_SHOWN else {"port": port, "bytes": len(text)}
    return NewEvent(time.time(), "node.output", f"{found.node} produced {port}.", found.node, found.item, data=data)


@io_manager
def value_store(context: InitResourceContext) -> ValueStore:
    """One store per run, on the instance's event storage."""
    assert context.instance is not None
    return ValueStore(event_storage_of(context.instance), process_context().spilled_values)
