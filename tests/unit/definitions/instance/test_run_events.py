"""Dagster's log entries in our words."""

from __future__ import annotations

import pytest
from dagster import DagsterEvent, DagsterEventType, Failure, MetadataValue
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import JobFailureData
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.objects import StepFailureData, StepRetryData, StepSuccessData, UserFailureData
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.error import SerializableErrorInfo
from hypothesis import given
from hypothesis import strategies as st

from definitions.instance.run_events import NewEvent, StatusChange, place, status_change, storable, to_run_event
from graph_compiler.running.naming import dagster_name
from graph_compiler.values.errors import NodeError

TS = 1_700_000_000.25


def entry(event: DagsterEvent | None, message: str = "", level: int = 20, step_key: str | None = None) -> EventLogEntry:
    return EventLogEntry(None, level, message, "run", TS, step_key=step_key, dagster_event=event)


def step_event(type: DagsterEventType, step_key: str = "node", data: object = None) -> DagsterEvent:
    return DagsterEvent(type.value, "job", step_key=step_key, event_specific_data=data)  # type: ignore[arg-type]  # any of Dagster's data


def error_info(error: BaseException, cause: BaseException | None = None) -> SerializableErrorInfo:
    try:
        raise error from cause
    except BaseException as raised:
        return serializable_error_info_from_exc_info((type(raised), raised, raised.__traceback__))


@pytest.mark.parametrize(
    ("type", "change", "event"),
    [
        ("PIPELINE_ENQUEUED", StatusChange("QUEUED"), None),
        ("PIPELINE_STARTING", StatusChange("STARTING"), None),
        ("PIPELINE_START", StatusChange("RUNNING", is_start=True), NewEvent(TS, "run.started", "The run started.")),
        ("PIPELINE_CANCELING", StatusChange("CANCELING"), None),
        ("PIPELINE_SUCCESS", StatusChange("SUCCESS", is_end=True), NewEvent(TS, "run.succeeded", "The run succeeded.")),
        ("ALERT_START", None, None),
    ],
)
def test_runs_life(type: str, change: StatusChange | None, event: NewEvent | None) -> None:
    logged = entry(DagsterEvent(type, "job"))
    assert (status_change(logged), to_run_event(logged)) == (change, event)


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (None, "The run was canceled."),
        ('Execution of run for "job" canceled.', "The run was canceled."),
        ("Run was canceled. Failed steps: ['nap'].", "The run was canceled."),
        ("Run failed after it was requested to be terminated.", "The run was canceled."),
        ("The run worker was killed by SIGKILL.", "The run worker was killed by SIGKILL."),
    ],
)
def test_canceled_run_says_why_in_our_words(message: str | None, shown: str) -> None:
    logged = entry(DagsterEvent("PIPELINE_CANCELED", "job", message=message))
    error = {"kind": "canceled", "message": shown, "node": None}
    assert status_change(logged) == StatusChange("CANCELED", is_end=True, error=error)
    assert to_run_event(logged) == NewEvent(TS, "run.canceled", shown, level="warning")


def test_failed_run_carries_its_first_failed_nodes_error() -> None:
    metadata = {"kind": MetadataValue.text("code_error"), "message": MetadataValue.text("no water")}
    data = StepFailureData(None, UserFailureData("code_error", "no water", metadata))
    step = step_event(DagsterEventType.STEP_FAILURE, "mill_wheel", data)
    run = DagsterEvent(
        "PIPELINE_FAILURE", "job", event_specific_data=JobFailureData(None, first_step_failure_event=step)
    )
    error = {"kind": "code_error", "message": "no water", "node": "mill_wheel"}
    assert status_change(entry(run)) == StatusChange("FAILURE", is_end=True, error=error)
    assert to_run_event(entry(run)) == NewEvent(
        TS, "run.failed", "no water", "mill_wheel", None, "error", {"error": error}
    )
    assert to_run_event(entry(step)) == NewEvent(
        TS, "node.failed", "no water", "mill_wheel", None, "error", {"kind": "code_error", "message": "no water"}
    )


def test_run_that_failed_by_itself_says_so() -> None:
    own = DagsterEvent(
        "PIPELINE_FAILURE", "job", event_specific_data=JobFailureData(error_info(RuntimeError("no executor")))
    )
    silent = DagsterEvent("PIPELINE_FAILURE", "job", message="The run worker was killed by SIGKILL.")
    assert [change.error for logged in (own, silent) if (change := status_change(entry(logged)))] == [
        {"kind": "internal_error", "message": "RuntimeError: no executor", "node": None},
        {"kind": "run_failed", "message": "The run worker was killed by SIGKILL.", "node": None},
    ]


def test_step_that_was_interrupted_was_canceled() -> None:
    data = StepFailureData(error_info(DagsterExecutionInterruptedError()), None)
    event = to_run_event(entry(step_event(DagsterEventType.STEP_FAILURE, data=data)))
    assert event is not None
    assert event.data == {"kind": "canceled", "message": "The run was canceled while this was running."}


def test_retry_says_why_in_the_nodes_own_words() -> None:
    error = error_info(Failure("code_error: x"), NodeError("code_error", "boom: at once"))
    logged = entry(step_event(DagsterEventType.STEP_UP_FOR_RETRY, data=StepRetryData(error, 1.5)))
    data = {"kind": "code_error", "message": "boom: at once", "delay": 1.5}
    assert to_run_event(logged) == NewEvent(TS, "node.retrying", "boom: at once", "node", None, "warning", data)


@pytest.mark.parametrize(
    ("type", "data", "ours", "message"),
    [
        (DagsterEventType.STEP_START, None, "node.started", "node started."),
        (DagsterEventType.STEP_RESTARTED, None, "node.started", "node started again."),
        (DagsterEventType.STEP_SUCCESS, StepSuccessData(1.5), "node.succeeded", "node succeeded."),
        (DagsterEventType.STEP_SKIPPED, None, "node.skipped", "node was skipped."),
    ],
)
def test_nodes_life(type: DagsterEventType, data: object, ours: str, message: str) -> None:
    logged = entry(step_event(type, data=data))
    assert to_run_event(logged) == NewEvent(TS, ours, message, "node")
    assert status_change(logged) is None


def test_op_that_renders_the_outputs_is_no_node() -> None:
    assert to_run_event(entry(step_event(DagsterEventType.STEP_START, "outputs_"))) is None


@pytest.mark.parametrize(
    ("level", "step_key", "event"),
    [
        (20, "node", NewEvent(TS, "log", "hello", "node")),
        (50, "node[3]", NewEvent(TS, "log", "hello", "node", 3, "error")),
        (10, "node", None),
        (40, None, None),
    ],
)
def test_log_of_a_step_is_shown_from_info_on(level: int, step_key: str | None, event: NewEvent | None) -> None:
    assert to_run_event(entry(None, "hello", level, step_key)) == event


def test_long_message_is_cut_and_tells_its_length() -> None:
    event = to_run_event(entry(None, "x" * 20_000, step_key="node"))
    assert event is not None
    assert event.message == f"{'x' * 10_000}… (20000 characters)"


@given(st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), st.none() | st.integers(0, 10**6))
def test_step_key_names_node_and_item(node: str, item: int | None) -> None:
    key = dagster_name(node) + ("" if item is None else f"[{item}]")
    assert place(key) == (node, item)


@given(st.text(st.characters(exclude_categories=())))
def test_storable_text_is_utf8_without_nul_and_keeps_what_may_stay(text: str) -> None:
    stored = storable(text)
    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    assert len(stored) == len(text)
    assert storable(stored) == stored
