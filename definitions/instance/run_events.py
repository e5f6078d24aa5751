"""Dagster's log entries in Headrace's words: which of them a follower of a run sees, and as what."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import JobFailureData
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData
from dagster_shared.error import SerializableErrorInfo

from definitions.instance.run_loss import CLASS_NAME, kind_and_message
from graph_compiler.running.naming import StepPlace, step_place
from graph_compiler.values.errors import NodeError

_LEVELS = {10: "debug", 20: "info", 30: "warning", 40: "error", 50: "error"}
_LONGEST_MESSAGE = 10_000
NO_PLACE: Mapping[str, Any] = {"node": None}
_ERROR_KEYS = frozenset({"kind", "message", "attempts"})
_NODE_ERROR = f"{NodeError.__module__}.{NodeError.__qualname__}: "
_DAGSTERS_CANCELED = re.compile("Execution of run for .* canceled|Run (was canceled|failed after it was requested)")
_INTERRUPTS = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before it has its place: `ts` in seconds since the epoch, the seq is given by the database."""

    ts: float
    type: str
    message: str
    node: str | None = None
    item: int | None = None
    level: str = "info"
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What an event says about its run as a whole; `None` leaves a column as it is."""

    status: str
    is_start: bool = False
    is_end: bool = False
    error: Mapping[str, Any] | None = None


def status_change(entry: EventLogEntry) -> StatusChange | None:
    """The change of the run's status in a log entry, if it is one."""
    if not entry.is_dagster_event:
        return None
    event = entry.get_dagster_event()
    match event.event_type:
        case DagsterEventType.RUN_ENQUEUED:
            return StatusChange("QUEUED")
        case DagsterEventType.RUN_STARTING:
            return StatusChange("STARTING")
        case DagsterEventType.RUN_START:
            return StatusChange("RUNNING", is_start=True)
        case DagsterEventType.RUN_CANCELING:
            return StatusChange("CANCELING")
        case DagsterEventType.RUN_SUCCESS:
            return StatusChange("SUCCESS", is_end=True)
        case DagsterEventType.RUN_FAILURE:
            return StatusChange("FAILURE", is_end=True, error=run_error(event))
        case DagsterEventType.RUN_CANCELED:
            error = {"kind": "canceled", "message": _canceled_message(event), **NO_PLACE}
            return StatusChange("CANCELED", is_end=True, error=error)
    return None


def to_run_event(entry: EventLogEntry) -> NewEvent | None:
    """The event that a follower sees for a log entry, or None when it is Dagster's own affair."""
    if not entry.is_dagster_event:
        return _log(entry)
    event = entry.get_dagster_event()
    translate = _TRANSLATIONS.get(event.event_type)
    if translate is None or (event.step_key and not _is_told(event.event_type, step_place(event.step_key))):
        return None
    return translate(entry.timestamp, event)


_FIRST_STEPS = frozenset({"node", "expand", "params"})
_LAST_STEPS = frozenset({"node", "collect", "outputs"})
_TOLD_OF = {
    DagsterEventType.STEP_START: _FIRST_STEPS,
    DagsterEventType.STEP_SKIPPED: _FIRST_STEPS,
    DagsterEventType.STEP_SUCCESS: _LAST_STEPS,
}


def _is_told(event_type: DagsterEventType, found: StepPlace) -> bool:
    """A node of several steps starts with the first and ends with the last of them."""
    return found.node is not None and found.role in _TOLD_OF.get(event_type, _FIRST_STEPS | _LAST_STEPS)


def place(step_key: str | None) -> tuple[str | None, int | None]:
    """Node and foreach item of a Dagster step key."""
    if step_key is None:
        return None, None
    found = step_place(step_key)
    return found.node, found.item


def _log(entry: EventLogEntry) -> NewEvent | None:
    if entry.step_key is None or int(entry.level) < 20:
        return None
    node, item = place(entry.step_key)
    level = _LEVELS.get(int(entry.level), "info")
    return NewEvent(entry.timestamp, "log", _short(entry.user_message), node, item, level)


def _node_event(type: str, message: str) -> Callable[[float, DagsterEvent], NewEvent]:
    def translate(ts: float, event: DagsterEvent) -> NewEvent:
        node, item = place(event.step_key)
        return NewEvent(ts, type, message.format(node=node), node, item)

    return translate


def _run_event(type: str, message: str) -> Callable[[float, DagsterEvent], NewEvent]:
    def translate(ts: float, event: DagsterEvent) -> NewEvent:
        return NewEvent(ts, type, message)

    return translate


def _node_failed(ts: float, event: DagsterEvent) -> NewEvent:
    node, item = place(event.step_key)
    error = _step_error(event.event_specific_data)
    return NewEvent(ts, "node.failed", error["message"], node, item, "error", error)


def _node_retrying(ts: float, event: DagsterEvent) -> NewEvent:
    node, item = place(event.step_key)
    specific = event.event_specific_data
    assert isinstance(specific, StepRetryData)
    error = _error_info(specific.error)
    data = error | {"delay": specific.seconds_to_wait or 0}
    return NewEvent(ts, "node.retrying", error["message"], node, item, "warning", data)


def _run_failed(ts: float, event: DagsterEvent) -> NewEvent:
    error = run_error(event)
    return NewEvent(ts, "run.failed", error["message"], error["node"], None, "error", {"error": error})


def _run_canceled(ts: float, event: DagsterEvent) -> NewEvent:
    return NewEvent(ts, "run.canceled", _canceled_message(event), level="warning")


def _canceled_message(event: DagsterEvent) -> str:
    message = event.message or ""
    return "The run was canceled." if not message or _DAGSTERS_CANCELED.match(message) else _short(message)


def run_error(event: DagsterEvent) -> dict[str, Any]:
    """`{kind, message, node}` of a run's failure; of a node's also `attempts`, and `item` under `foreach`."""
    specific = event.event_specific_data
    if isinstance(specific, JobFailureData):
        step = specific.first_step_failure_event
        if step is not None:
            return failed_step_error(step)
        if specific.error is not None:
            error = _error_info(specific.error)
            return {**error, **NO_PLACE}
    return {"kind": "run_failed", "message": _short(event.message or "The run failed."), **NO_PLACE}


def cut_short(node: str, failure: DagsterEvent, ts: float) -> NewEvent:
    """The end of a node that failed by one of its steps: an item, or a node of the graph it calls."""
    error = failed_step_error(failure)
    inner = (error["node"] or "").removeprefix(node).removeprefix("/")
    message = f"{inner}: {error['message']}" if inner else error["message"]
    data = {"kind": error["kind"], "message": message, "attempts": error.get("attempts", 1)}
    return NewEvent(ts, "node.failed", message, node, None, "error", data)


def failed_step_error(step: DagsterEvent) -> dict[str, Any]:
    """`{kind, message, node, attempts}` of a failed step, and its `item`."""
    error = _step_error(step.event_specific_data)
    node, item = place(step.step_key)
    known = {key: error[key] for key in error if key in _ERROR_KEYS} | {"node": node}
    return known if item is None else known | {"item": item}


def _step_error(specific: object) -> dict[str, Any]:
    if not isinstance(specific, StepFailureData):
        return {"kind": "node_failed", "message": "The node failed."}
    failure = specific.user_failure_data
    if failure is not None and "kind" in failure.metadata:
        data = {name: value.value for name, value in failure.metadata.items()}
        return data | {"message": _short(str(data.get("message") or failure.description or ""))}
    if specific.error is None:
        return {"kind": "node_failed", "message": "The node failed."}
    return _error_info(specific.error)


def _error_info(error: SerializableErrorInfo) -> dict[str, Any]:
    root = error
    while root.cause is not None:
        root = root.cause
    if error.cls_name == "RunTimedOut":
        return {"kind": "run_timeout", "message": _short(root.message.strip().partition(": ")[2])}
    if CLASS_NAME in (error.cls_name, root.cls_name):
        kind, message = kind_and_message(root.message)
        return {"kind": kind, "message": _short(message)}
    if error.cls_name in _INTERRUPTS:
        return {"kind": "canceled", "message": "The run was canceled while this was running."}
    if root.cls_name == NodeError.__name__:
        kind, _, message = root.message.strip().removeprefix(_NODE_ERROR).partition(": ")
        return {"kind": kind, "message": _short(message)}
    return {"kind": "internal_error", "message": _short(root.message.strip())}


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: without NUL and lone surrogates."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _short(text: str) -> str:
    clean = storable(text)
    return clean if len(clean) <= _LONGEST_MESSAGE else f"{clean[:_LONGEST_MESSAGE]}… ({len(clean)} characters)"


_TRANSLATIONS: Mapping[DagsterEventType, Callable[[float, DagsterEvent], NewEvent]] = {
    DagsterEventType.RUN_START: _run_event("run.started", "The run started."),
    DagsterEventType.RUN_SUCCESS: _run_event("run.succeeded", "The run succeeded."),
    DagsterEventType.RUN_FAILURE: _run_failed,
    DagsterEventType.RUN_CANCELED: _run_canceled,
    DagsterEventType.STEP_START: _node_event("node.started", "{node} started."),
    DagsterEventType.STEP_RESTARTED: _node_event("node.started", "{node} started again."),
    DagsterEventType.STEP_SUCCESS: _node_event("node.succeeded", "{node} succeeded."),
    DagsterEventType.STEP_SKIPPED: _node_event("node.skipped", "{node} was skipped."),
    DagsterEventType.STEP_FAILURE: _node_failed,
    DagsterEventType.STEP_UP_FOR_RETRY: _node_retrying,
}
