"""Where values between nodes are kept: in the worker's memory for its own steps, and durably as JSON for everyone else.

A value is handed to the event storage before its step is said to have succeeded, in the same order; so whoever sees
the step's success finds the value.
"""

from __future__ import annotations

import json
import time
from typing import Any

from dagster import Failure, InitResourceContext, InputContext, IOManager, OutputContext, io_manager

from definitions.event_statement import NewValue
from definitions.event_storage import PooledEventStorage
from definitions.run_events import NewEvent, place
from graph_compiler.naming import OUTPUTS_OP, node_id

LARGEST_VALUE = 32 * 1024 * 1024
LARGEST_SHOWN = 16 * 1024


class ValueStore(IOManager):
    """Keeps JSON values; a run's outputs go to the run itself. Refuses a value of more than 32 MiB of JSON."""

    def __init__(self, storage: PooledEventStorage) -> None:
        self._storage = storage
        self._memory: dict[tuple[str, str], Any] = {}

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        text = json.dumps(obj, separators=(",", ":"), allow_nan=False)
        if len(text) > LARGEST_VALUE:
            message = f"the value has {len(text)} bytes of JSON, more than the {LARGEST_VALUE} that are kept"
            raise Failure(message, {"kind": "value_too_large", "message": message}, allow_retries=False)
        if context.step_key == OUTPUTS_OP:
            self._storage.store_outputs(context.run_id, text)
            return
        self._memory[context.step_key, context.name] = obj
        port = node_id(context.name)
        self._storage.store_value(
            context.run_id, NewValue(context.step_key, context.name, text), _shown(context.step_key, port, obj, text)
        )

    def load_input(self, context: InputContext) -> Any:
        upstream = context.upstream_output
        if upstream is None:
            raise KeyError(f"input {context.name} has no upstream output")
        try:
            return self._memory[upstream.step_key, upstream.name]
        except KeyError:
            return self._storage.read_value(upstream.run_id, upstream.step_key, upstream.name)


def _shown(step_key: str, port: str, value: Any, text: str) -> NewEvent:
    node, item = place(step_key)
    data = {"port": port, "value": value} if len(text) <= LARGEST_SHOWN else {"port": port, "bytes": len(text)}
    return NewEvent(time.time(), "node.output", f"{node} gave {port}.", node, item, data=data)


@io_manager
def value_store(context: InitResourceContext) -> ValueStore:
    """One store per run, on the instance's event storage."""
    assert context.instance is not None
    storage = context.instance.event_log_storage
    if not isinstance(storage, PooledEventStorage):
        raise TypeError("Headrace's jobs need Headrace's storage; point DAGSTER_HOME at a Headrace home.")
    return ValueStore(storage)
