"""Dagster's log entries in Headrace's words: which of them a follower of a run sees, and as what.

What nodes do the engine reports itself (definitions/journal); here is what befalls a run as a whole from elsewhere.
Internals used: `EventLogEntry` and the data of its events, from which the failures of runs are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dagster import DagsterEvent, DagsterEventType
from dagster._core.events import JobFailureData
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.objects import StepFailureData
from dagster_shared.error import SerializableErrorInfo

from definitions.instance.run_loss import CLASS_NAME, kind_and_message
from platform_core.facts.run_error import RunError
from platform_core.facts.run_status import RunStatus

_LONGEST_MESSAGE = 10_000
_DAGSTERS_CANCELED = re.compile("Execution of run for .* canceled|Run (was canceled|failed after it was requested)")
UNENDED = "The run was canceled. Its worker did not end in time, so what it still did is not recorded."
_DAGSTERS_UNENDED = re.compile(r"Run timed out due to taking longer than \d+ seconds to cancel")
TIMED_OUT = "The run did not end within its timeout and was stopped."
_MONITORED: Sequence[tuple[re.Pattern[str], str, str]] = (
    (re.compile(r"Exceeded maximum runtime of \d+ seconds"), "run_timeout", TIMED_OUT),
    (re.compile("This job is being forcibly marked as failed"), "run_timeout", TIMED_OUT),
    (
        re.compile(r"Run timed out due to taking longer than \d+ seconds to start"),
        "run_failed",
        "No worker began the run in time.",
    ),
    (re.compile("Detected run worker status"), "run_failed", "The run worker is gone."),
)
"""What Dagster's monitor says of a run that it ends, and what we say instead."""


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

    status: RunStatus
    is_start: bool = False
    is_end: bool = False
    error: Mapping[str, Any] | None = None
    wake_at: float | None = None
    """Of a run that waits: when it goes on, in seconds since the epoch."""


def status_change(entry: EventLogEntry) -> StatusChange | None:
    """The change of the run's status in a log entry, if it is one."""
    if not entry.is_dagster_event:
        return None
    event = entry.get_dagster_event()
    match event.event_type:
        case DagsterEventType.RUN_ENQUEUED:
            return StatusChange(RunStatus.QUEUED)
        case DagsterEventType.RUN_STARTING:
            return StatusChange(RunStatus.STARTING)
        case DagsterEventType.RUN_START:
            return StatusChange(RunStatus.RUNNING, is_start=True)
        case DagsterEventType.RUN_CANCELING:
            return StatusChange(RunStatus.CANCELING)
        case DagsterEventType.RUN_SUCCESS:
            return StatusChange(RunStatus.SUCCESS, is_end=True)
        case DagsterEventType.RUN_FAILURE:
            return StatusChange(RunStatus.FAILURE, is_end=True, error=run_error(event).as_dict())
        case DagsterEventType.RUN_CANCELED:
            error = RunError("canceled", _canceled_message(event))
            return StatusChange(RunStatus.CANCELED, is_end=True, error=error.as_dict())
    return None


def to_run_event(entry: EventLogEntry) -> NewEvent | None:
    """The event that a follower sees for a log entry, or None when it is Dagster's own affair."""
    if not entry.is_dagster_event:
        return None
    event = entry.get_dagster_event()
    ts = entry.timestamp
    match event.event_type:
        case DagsterEventType.RUN_START:
            return NewEvent(ts, "run.started", "The run started.")
        case DagsterEventType.RUN_SUCCESS:
            return NewEvent(ts, "run.succeeded", "The run succeeded.")
        case DagsterEventType.RUN_FAILURE:
            error = run_error(event)
            return NewEvent(ts, "run.failed", error.message, None, None, "error", {"error": error.as_dict()})
        case DagsterEventType.RUN_CANCELED:
            return NewEvent(ts, "run.canceled", _canceled_message(event), level="warning")
    return None


def _canceled_message(event: DagsterEvent) -> str:
    message = event.message or ""
    if _DAGSTERS_UNENDED.match(message):
        return UNENDED
    return "The run was canceled." if not message or _DAGSTERS_CANCELED.match(message) else _short(message)


def run_error(event: DagsterEvent) -> RunError:
    """Why the run failed, of a run whose failure the engine did not write itself."""
    specific = event.event_specific_data
    if isinstance(specific, JobFailureData):
        if specific.first_step_failure_event is not None:
            return RunError("run_failed", _short(_refusal(specific.first_step_failure_event)))
        if specific.error is not None:
            return _raised(specific.error)
    message = event.message or "The run failed."
    for pattern, kind, text in _MONITORED:
        if pattern.match(message):
            return RunError(kind, text)
    return RunError("run_failed", _short(message))


def _refusal(step: DagsterEvent) -> str:
    """What an op said that Dagster itself had executed."""
    specific = step.event_specific_data
    failure = specific.user_failure_data if isinstance(specific, StepFailureData) else None
    return (failure and failure.description) or step.message or "A step failed."


def _raised(error: SerializableErrorInfo) -> RunError:
    root = error
    while root.cause is not None:
        root = root.cause
    if CLASS_NAME in (error.cls_name, root.cls_name):
        kind, message = kind_and_message(root.message)
        return RunError(kind, _short(message))
    return RunError("internal_error", _short(root.message.strip()))


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: without NUL and lone surrogates."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode(errors="replace").decode()


def _short(text: str) -> str:
    clean = storable(text)
    return clean if len(clean) <= _LONGEST_MESSAGE else f"{clean[:_LONGEST_MESSAGE]}… ({len(clean)} characters)"
