"""Rows of Dagster's event log, from templates that Dagster's own serializer makes once per process.

A template is a real entry, serialized with marks where rows differ and cut at the marks: so the format is that of the
installed Dagster, and a row costs one `%`. Failures and retries are rare and are serialized one by one.

Internals used (Dagster 1.13): EventLogEntry, DagsterEvent, NodeHandle and the two step handles, the `*Data` classes of
its events, JobFailureData, `serialize_value`, and the words of its messages.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from dagster import DagsterEvent, MetadataValue
from dagster import DagsterEventType as Type
from dagster._core.definitions.dependency import NodeHandle
from dagster._core.events import EngineEventData, JobFailureData, RunFailureReason
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.handle import ResolvedFromDynamicStepHandle, StepHandle
from dagster._core.execution.plan.objects import (
    ErrorSource,
    StepFailureData,
    StepRetryData,
    StepSuccessData,
    TypeCheckData,
    UserFailureData,
)
from dagster._core.execution.plan.outputs import StepOutputData, StepOutputHandle
from dagster._serdes import serialize_value
from dagster_shared.error import SerializableErrorInfo
from dagster_shared.utils.timing import format_duration

Row = Mapping[str, Any]
_DEBUG, _INFO, _ERROR = 10, 20, 40
_MARKS: Mapping[str, Any] = {
    **{
        name: f"\ue001{name}\ue001"
        for name in ("key", "run", "job", "port", "handle", "mapped", "took", "attempt", "type")
    },
    "time": 1111111111.25,
    "pid": 222222222,
    "ms": 333333333.25,
}
_NAMES = {json.dumps(mark).strip('"'): name for name, mark in _MARKS.items()}
_MARK = re.compile("|".join(map(re.escape, _NAMES)))
_MESSAGES = {
    Type.STEP_START: 'Started execution of step "{key}".',
    Type.STEP_RESTARTED: 'Started re-execution (attempt # {attempt}) of step "{key}".',
    Type.STEP_SUCCESS: 'Finished execution of step "{key}" in {took}.',
    Type.STEP_SKIPPED: 'Skipped execution of step "{key}".',
    Type.RUN_START: 'Started execution of run for "{job}".',
    Type.RUN_SUCCESS: 'Finished execution of run for "{job}".',
    Type.RUN_CANCELED: 'Execution of run for "{job}" canceled.',
    Type.RUN_SUSPENDED: 'Suspended execution of run for "{job}".',
    Type.RUN_RESUMED: 'Resumed execution of run for "{job}".',
    Type.STEP_OUTPUT: 'Yielded output "{port}" of type "{type}". (Type check passed).',
}
_MAPPED = 'Yielded output "{port}" mapping key "{mapped}" of type "Any". (Type check passed).'
_Template = tuple[str, Sequence[str]]


class DagsterRows:
    """Rows of one run's log. Times are in seconds since the epoch; step keys of items end in `[3]`."""

    def __init__(self, run_id: str, job: str) -> None:
        self._run = run_id
        self._job = job
        self._pid = os.getpid()
        self._handles: dict[str, str] = {}

    def start(self, key: str, ts: float, *, attempt: int = 1, is_again: bool = False) -> Row:
        """A step begins; `is_again` once more in the same attempt."""
        kind = Type.STEP_START if attempt == 1 and not is_again else Type.STEP_RESTARTED
        return self._step(kind, key, ts, attempt=attempt)

    def success(self, key: str, ts: float, milliseconds: float) -> Row:
        return self._step(Type.STEP_SUCCESS, key, ts, ms=milliseconds, took=format_duration(milliseconds))

    def skipped(self, key: str, ts: float) -> Row:
        return self._step(Type.STEP_SKIPPED, key, ts)

    def output(self, key: str, port: str, ts: float, type: str = "Any") -> Row:
        return self._step(Type.STEP_OUTPUT, key, ts, port=port, type=type)

    def mapped_output(self, key: str, port: str, mapped: str, ts: float) -> Row:
        """One of a dynamic output's values."""
        return self._filled(_mapped_template(), Type.STEP_OUTPUT, key, ts, {"port": port, "mapped": mapped})

    def run(self, kind: Type, ts: float) -> Row:
        """The run starts, ends well, is canceled, suspended or resumed."""
        return self._filled(_template(kind, False), kind, None, ts, {})

    def process_started(self, ts: float) -> Row:
        """By which Dagster's UI, and ours, know the worker."""
        return self._filled(_process_template(), Type.ENGINE_EVENT, None, ts, {})

    def reported(self, message: str, ts: float) -> Row:
        """An engine event."""
        return self._event(Type.ENGINE_EVENT, None, EngineEventData(), message, ts, _INFO)

    def failure(self, key: str, error: Mapping[str, Any], ts: float) -> tuple[Row, DagsterEvent]:
        """A step failed; its row, and the event for the row of the run's failure."""
        event = self.failure_event(key, error)
        return self._row(event, ts, _ERROR), event

    def failure_event(self, key: str, error: Mapping[str, Any]) -> DagsterEvent:
        """The failure of a step, as the failure of a run refers to it."""
        metadata = {name: error[name] for name in ("kind", "message", "attempts") if name in error}
        user: Any = UserFailureData("intentional-failure", f"{error['kind']}: {error['message']}", metadata)  # type: ignore[no-untyped-call]  # Dagster does not annotate it
        data: Any = StepFailureData(_error_info(error), user, ErrorSource.USER_CODE_ERROR)  # type: ignore[no-untyped-call]  # not annotated
        return self._dagster_event(Type.STEP_FAILURE, key, data, f'Execution of step "{key}" failed.')

    def retry(self, key: str, error: Mapping[str, Any], delay: float, ts: float) -> Row:
        message = f'Execution of step "{key}" failed and has requested a retry in {delay} seconds.'
        data: Any = StepRetryData(_error_info(error), delay)  # type: ignore[no-untyped-call]  # not annotated
        return self._event(Type.STEP_UP_FOR_RETRY, key, data, message, ts, _DEBUG)

    def run_failure(self, cause: DagsterEvent | None, error: Mapping[str, Any], steps: Sequence[str], ts: float) -> Row:
        """The run failed, by the failure of a step if there is one."""
        if cause is None:
            info = SerializableErrorInfo(f"RunLost: {error['kind']}: {error['message']}\n", [], "RunLost")
            data = JobFailureData(info, RunFailureReason.RUN_EXCEPTION)
            message = f'Execution of run for "{self._job}" failed. {error["message"]}'
        else:
            failed: Any = cause.event_specific_data
            data = JobFailureData(failed.error, RunFailureReason.STEP_FAILURE, cause)
            message = f'Execution of run for "{self._job}" failed. Steps failed: {list(steps)}.'
        return self._event(Type.RUN_FAILURE, None, data, message, ts, _ERROR)

    def line(self, message: str, level: int, key: str | None, ts: float) -> Row:
        """A line of text that a node has said."""
        entry = EventLogEntry(None, level, message, self._run, ts, key)  # type: ignore[no-untyped-call]  # not annotated
        return _columns(serialize_value(entry), None, ts, key)

    def _step(self, kind: Type, key: str, ts: float, **values: Any) -> Row:
        return self._filled(_template(kind, key.endswith("]")), kind, key, ts, values)

    def _filled(self, template: _Template, kind: Type, key: str | None, ts: float, values: dict[str, Any]) -> Row:
        text, names = template
        values |= {"run": self._run, "job": self._job, "pid": self._pid, "time": ts, "key": key}
        if key is not None:
            path, bracket, item = key.partition("[")
            values["handle"] = self._handle(path)
            if bracket:
                values["mapped"] = item[:-1]
        return _columns(text % tuple([values[name] for name in names]), kind.value, ts, key)

    def _handle(self, path: str) -> str:
        found = self._handles.get(path)
        if found is None:
            found = self._handles[path] = serialize_value(NodeHandle.from_string(path))
        return found

    def _event(self, kind: Type, key: str | None, data: Any, message: str, ts: float, level: int) -> Row:
        return self._row(self._dagster_event(kind, key, data, message), ts, level)

    def _dagster_event(self, kind: Type, key: str | None, data: Any, message: str) -> DagsterEvent:
        return _event(kind, key, _handles(key), data, message, self._run, self._job, self._pid)

    def _row(self, event: DagsterEvent, ts: float, level: int) -> Row:
        return _columns(
            serialize_value(_entry(event, self._run, ts, level)), event.event_type_value, ts, event.step_key
        )


def _handles(key: str | None) -> tuple[Any, Any]:
    """Step handle and node handle of a step key, `a.b` or `a.b[3]`."""
    if key is None:
        return None, None
    path, bracket, item = key.partition("[")
    node = NodeHandle.from_string(path)
    return (ResolvedFromDynamicStepHandle(node, item[:-1], key) if bracket else StepHandle(node, key)), node


def _event(
    kind: Type, key: str | None, handles: tuple[Any, Any], data: Any, message: str, run: str, job: str, pid: Any
) -> DagsterEvent:
    nothing = dict.fromkeys(("op_name", "resource_fn_name", "resource_name", "step_key"), "None")
    tags = {} if key is None else {"job_name": job, "run_id": run, **nothing}
    ordered = dict(sorted(tags.items()))
    return DagsterEvent(kind.value, job, *handles, None if key is None else "COMPUTE", ordered, data, message, pid, key)


def _entry(event: DagsterEvent, run: str, ts: float, level: int) -> EventLogEntry:
    message = event.message or ""
    return EventLogEntry(None, level, message, run, ts, event.step_key, event.job_name, event)  # type: ignore[no-untyped-call]  # not annotated


@cache
def _template(kind: Type, is_item: bool) -> _Template:
    data: Any = None
    if kind == Type.STEP_SUCCESS:
        data = StepSuccessData(_MARKS["ms"])  # type: ignore[no-untyped-call]  # Dagster does not annotate it
    elif kind == Type.STEP_OUTPUT:
        data = _output_data(None)
    is_step = kind in (Type.STEP_START, Type.STEP_RESTARTED, Type.STEP_SUCCESS, Type.STEP_SKIPPED, Type.STEP_OUTPUT)
    return _cut(kind, data, _MESSAGES[kind], is_step, is_item)


@cache
def _mapped_template() -> _Template:
    return _cut(Type.STEP_OUTPUT, _output_data(_MARKS["mapped"]), _MAPPED, True, False)


@cache
def _process_template() -> _Template:
    pid = _MARKS["pid"]
    data = EngineEventData(metadata={"pid": MetadataValue.text(str(pid))})
    return _cut(Type.ENGINE_EVENT, data, f"Started process for run (pid: {pid}).", False, False, _INFO)


def _output_data(mapped: str | None) -> StepOutputData:
    port = _MARKS["port"]
    checked: Any = TypeCheckData(True, port, None, {})  # type: ignore[no-untyped-call]  # Dagster does not annotate it
    return StepOutputData(StepOutputHandle(_MARKS["key"], port, mapped), checked)


def _cut(kind: Type, data: Any, message: str, is_step: bool, is_item: bool, level: int = _DEBUG) -> _Template:
    key = _MARKS["key"] if is_step else None
    node = NodeHandle(_MARKS["handle"], None)
    step = (
        ResolvedFromDynamicStepHandle(node, _MARKS["mapped"], _MARKS["key"])
        if is_item
        else StepHandle(node, _MARKS["key"])
    )
    handles = (step, node) if is_step else (None, None)
    event = _event(kind, key, handles, data, message.format(**_MARKS), _MARKS["run"], _MARKS["job"], _MARKS["pid"])
    text = serialize_value(_entry(event, _MARKS["run"], _MARKS["time"], level))
    whole = serialize_value(node)
    text = text.replace(whole, json.dumps(_MARKS["handle"]).strip('"')) if is_step else text
    names = [_NAMES[found] for found in _MARK.findall(text)]
    return _MARK.sub("%s", text.replace("%", "%%")), names


def _columns(text: str, kind: str | None, ts: float, key: str | None) -> Row:
    when = datetime.fromtimestamp(ts, UTC).replace(tzinfo=None)
    return {
        "event": text,
        "dagster_event_type": kind,
        "timestamp": when,
        "step_key": key,
        "asset_key": None,
        "partition": None,
    }


def _error_info(error: Mapping[str, Any]) -> SerializableErrorInfo:
    message = f"dagster._core.definitions.events.Failure: {error['kind']}: {error['message']}\n"
    return SerializableErrorInfo(message, [], "Failure")
