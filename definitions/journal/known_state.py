"""What the journal of a run proves, read for the worker that goes on with it, or with a retry of it.

Events tell what began and ended, and their notes what followers do not see; values lie beside. What was reported of a
call's inner nodes is of the attempt that the call was in then.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from definitions.journal.connection import JournalConnection
from definitions.journal.dagster_place import TURNS
from definitions.journal.projection import ITEMS, OUTPUTS_ERROR, RESULT, RUN_STEP, STOPPING, params_port
from definitions.services.spilled_values import SpilledValues
from graph_compiler.nodes.asking import ADDRESS
from graph_compiler.running.naming import PARAMS_OUTPUT, dagster_name, node_id, step_place
from graph_compiler.running.plan import GraphPlan
from graph_compiler.values.binary import loads
from graph_engine.journal.known import Known, KnownStep, calls_around, repeats_around
from graph_engine.journal.place import turn_key

_RUN = """
SELECT extract(epoch FROM started_at)::float8, outputs, parent_run_id, retry_from FROM headrace.runs WHERE run_id = %s
"""
_EVENTS = """
SELECT type, extract(epoch FROM ts)::float8, node, item, data, note FROM headrace.run_events
WHERE run_id = %s AND type IN ('run.started', 'node.started', 'node.waiting', 'node.retrying', 'node.succeeded',
                               'node.skipped', 'node.failed')
ORDER BY seq
"""
_VALUES = "SELECT step, port, value, location FROM headrace.run_values WHERE run_id = %s"
_MAPPED = re.compile(r"items_\[(\d+)\]")


class _Event(NamedTuple):
    type: str
    ts: float
    node: str | None
    item: int | None
    data: str
    note: str | None


class KnownStates:
    """Reads journals; `spilled` has their large values."""

    def __init__(self, connection: JournalConnection, spilled: SpilledValues) -> None:
        self._connection = connection
        self._spilled = spilled

    def of(self, run_id: str, plan: GraphPlan) -> Known:
        """All that is known of the run, and of the runs whose retry it is."""
        row = self._connection.rows(_RUN, (run_id,))[0]
        started_at, outputs, parent, retry_from = row
        known = Known() if parent is None or retry_from != "failure" else self.of(parent, plan).again()
        _Reading(known, plan).take([_Event(*event) for event in self._connection.rows(_EVENTS, (run_id,))])
        self._take_values(known, run_id)
        known.started_at = started_at
        known.outputs = None if outputs is None else loads(outputs)
        return known

    def _take_values(self, known: Known, run_id: str) -> None:
        mapped: dict[str, dict[int, Any]] = {}
        for step, port, text, location in self._connection.rows(_VALUES, (run_id,)):

            def value(text: str | None = text, location: str | None = location) -> Any:
                return loads(self._spilled.read(location) if location else text or "null")

            if step == RUN_STEP:
                _take_end(known, port, value())
                continue
            key, item = place_of(step)
            if port in TURNS:
                _take_turn(known, key, value())
                continue
            found = known.steps.get((key, item))
            each = _MAPPED.fullmatch(port)
            if each is not None:
                mapped.setdefault(key, {})[int(each[1])] = value()
            elif found is not None and not found.is_inherited and not _is_past(known, key, item):
                _take_value(found, port, value)
        for key, items in mapped.items():
            step = known.steps.get((key, None))
            if step is not None and step.items is None and not _ended_well(step):
                step.items = [items[number] for number in range(len(items))] if max(items) + 1 == len(items) else None


def place_of(step: str) -> tuple[str, int | None]:
    """Key and item under which a value is kept: `a.b[3]` is a step's key, `call[2]/inner[3]` that of a place."""
    if "/" not in step:
        found = step_place(step)
        return found.node or "", found.item
    outer, _, last = step.rpartition("/")
    name, bracket, item = last.partition("[")
    return f"{outer}/{name}", int(item[:-1]) if bracket else None


def _take_end(known: Known, port: str, value: Any) -> None:
    if port == STOPPING:
        known.stopping = (value["status"], value["error"])
    elif port == OUTPUTS_ERROR:
        known.outputs_error = value


def _take_turn(known: Known, key: str, value: Any) -> None:
    step = known.steps.get((turn_key(key, value["turn"]), None))
    if step is not None and not step.is_inherited and step.outputs is not None:
        step.outputs = value["outputs"]


def _take_value(step: KnownStep, port: str, value: Callable[[], Any]) -> None:
    if port == ITEMS:
        if not _ended_well(step):
            step.items = value()
    elif port == PARAMS_OUTPUT or port.startswith(f"{PARAMS_OUTPUT}~"):
        if not _ended_well(step) and port == params_port(step.attempts):
            step.params = value()
    elif port == ADDRESS and step.waits_until is not None:
        step.address = value()
        step.outputs = None if step.outputs is None else {**step.outputs, ADDRESS: step.address}
    elif step.outputs is None:
        return  # it has not ended, or not well
    elif port == RESULT:
        step.outputs = value().get("outputs")
    else:
        step.outputs = {**step.outputs, node_id(port): value()}


def _ended_well(step: KnownStep) -> bool:
    return step.end is not None and (step.end != "failed" or step.outputs is not None)


def _is_past(known: Known, key: str, item: int | None) -> bool:
    """Whether what is around the step has ended well, or is in a later attempt."""
    around: list[tuple[tuple[str, int | None], int]] = list(calls_around(key))
    if item is not None:
        around.append(((key, None), 1))
    around += [((repeated, None), 1) for repeated in repeats_around(key)]
    steps = [(known.steps[call], attempt) for call, attempt in around if call in known.steps]
    return any(_ended_well(step) or attempt < step.attempts for step, attempt in steps)


class _Reading:
    """Goes through a run's events."""

    def __init__(self, known: Known, plan: GraphPlan) -> None:
        self._known = known
        self._plan = plan
        self._attempts: dict[tuple[str, int | None], int] = {}
        """Of calls, by the names of events."""
        self._keys: dict[str, str] = {}
        self._is_journaled = False
        self._ended = 0

    def take(self, events: list[_Event]) -> None:
        for event in events:
            if event.type == "run.started":
                self._is_journaled = event.note is not None
            elif event.node is not None and (self._is_journaled or self._is_step(event.node)):
                self._take(event, self._step(event), {} if event.note is None else json.loads(event.note))

    def _step(self, event: _Event) -> KnownStep:
        assert event.node is not None
        place = (self._key(event.node), event.item)
        step = self._known.step(*place)
        if step.is_inherited:
            step = self._known.steps[place] = step.inherited()
        return step

    def _take(self, event: _Event, step: KnownStep, note: Mapping[str, Any]) -> None:
        match event.type:
            case "node.started":
                self._begin(event, step, note)
            case "node.waiting":
                if "turn" in note:
                    step.turn, step.turn_at = note["turn"], note["due"]
                else:
                    step.waits_since, step.waits_until = note["since"], note["until"]
            case "node.retrying":
                step.is_open, step.retry_at = False, note.get("due", event.ts)
            case "node.succeeded":
                self._end(step, {})
                step.end = "succeeded"
            case "node.skipped":
                self._end(step, None)
                step.end = "skipped"
            case "node.failed":
                self._fail(event, step, note)

    def _begin(self, event: _Event, step: KnownStep, note: Mapping[str, Any]) -> None:
        assert event.node is not None
        unnoted = step.attempts + 1 if not self._is_journaled else 1
        step.attempts, step.is_open, step.began_at = note.get("attempt", unnoted), True, event.ts
        step.retry_at = step.waits_until = None
        step.params = step.params if step.attempts == 1 else None
        before = self._attempts.get((event.node, event.item), 1)
        if before != step.attempts:
            self._attempts[event.node, event.item] = step.attempts
            self._keys.clear()

    def _end(self, step: KnownStep, outputs: Mapping[str, Any] | None) -> None:
        self._ended += 1
        step.outputs, step.is_open, step.order = outputs, False, self._ended
        step.items = step.params = None

    def _fail(self, event: _Event, step: KnownStep, note: Mapping[str, Any]) -> None:
        items, params = step.items, step.params
        is_well = note["outputs"] if note else self._goes_on(event)
        self._end(step, {} if is_well else None)
        step.end = "failed"
        step.error = note["error"] if note else json.loads(event.data)
        step.cause, step.is_retryable = note.get("cause"), note.get("retryable", True)
        step.is_stopped = note.get("stopped", False)
        if not is_well:  # a retry goes on with them
            step.items, step.params = items, params

    # -- names

    def _key(self, name: str) -> str:
        """The key of a node as events name it, in the attempts that the calls around it are in now."""
        if "/" not in name:
            return name
        found = self._keys.get(name)
        if found is None:
            found = self._keys[name] = "".join(self._parts(name))
        return found

    def _parts(self, name: str) -> Iterator[str]:
        *calls, last = name.split("/")
        way = ""
        for part in calls:
            call, bracket, item = part.partition("[")
            attempt = self._attempts.get((way + call, int(item[:-1]) if bracket else None), 1)
            yield part if attempt == 1 else f"{part}~{attempt}"
            yield "/"
            way += f"{part}/"
        yield last

    def _is_step(self, name: str) -> bool:
        """Whether the node is a step of Dagster's plan: only of those Dagster's own execution keeps values."""
        plan: GraphPlan | None = self._plan
        for part in name.split("/")[:-1]:
            node = None if plan is None else plan.nodes.get(dagster_name(part))
            plan = None if node is None else node.called
        return plan is not None

    def _goes_on(self, event: _Event) -> bool:
        """Whether the run went on with the failure, in a run that Dagster executed."""
        assert event.node is not None
        return event.item is None and self._plan.node_at(event.node).spec.on_error != "fail"
