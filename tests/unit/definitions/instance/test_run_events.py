"""Dagster's log entries in our words."""

from __future__ import annotations

import sys

import pytest
from dagster import DagsterEvent
from dagster._core.events import JobFailureData
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.plan.objects import StepFailureData, UserFailureData
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster_shared.error import SerializableErrorInfo
from hypothesis import given
from hypothesis import strategies as st

from definitions.instance.run_events import NewEvent, StatusChange, status_change, storable, to_run_event
from platform_core.facts.run_status import RunStatus

TS = 1_700_000_000.25


def entry(event: DagsterEvent) -> EventLogEntry:
    return EventLogEntry(None, 20, "", "run", TS, dagster_event=event)


def error_info(error: BaseException) -> SerializableErrorInfo:
    try:
        raise error
    except BaseException:
        return serializable_error_info_from_exc_info(sys.exc_info())


@pytest.mark.parametrize(
    ("type", "change", "event"),
    [
        ("PIPELINE_ENQUEUED", StatusChange(RunStatus.QUEUED), None),
        ("PIPELINE_STARTING", StatusChange(RunStatus.STARTING), None),
        (
            "PIPELINE_START",
            StatusChange(RunStatus.RUNNING, is_start=True),
            NewEvent(TS, "run.started", "The run started."),
        ),
        ("PIPELINE_CANCELING", StatusChange(RunStatus.CANCELING), None),
        (
            "PIPELINE_SUCCESS",
            StatusChange(RunStatus.SUCCESS, is_end=True),
            NewEvent(TS, "run.succeeded", "The run succeeded."),
        ),
        ("ALERT_START", None, None),
    ],
)
def test_each_step_of_a_runs_life_is_its_status_and_its_event(
    type: str, change: StatusChange | None, event: NewEvent | None
) -> None:
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
    assert status_change(logged) == StatusChange(RunStatus.CANCELED, is_end=True, error=error)
    assert to_run_event(logged) == NewEvent(TS, "run.canceled", shown, level="warning")


def test_run_that_dagster_itself_executed_says_what_its_op_said() -> None:
    data = StepFailureData(None, UserFailureData("refused", "launch it whole", {}))
    step = DagsterEvent("STEP_FAILURE", "job", step_key="mill_wheel", event_specific_data=data)
    run = DagsterEvent(
        "PIPELINE_FAILURE", "job", event_specific_data=JobFailureData(None, first_step_failure_event=step)
    )
    error = {"kind": "run_failed", "message": "launch it whole", "node": None}
    assert status_change(entry(run)) == StatusChange(RunStatus.FAILURE, is_end=True, error=error)
    assert to_run_event(entry(run)) == NewEvent(
        TS, "run.failed", "launch it whole", None, None, "error", {"error": error}
    )
    assert (status_change(entry(step)), to_run_event(entry(step))) == (None, None)


def test_run_that_failed_by_itself_says_so() -> None:
    own = DagsterEvent(
        "PIPELINE_FAILURE", "job", event_specific_data=JobFailureData(error_info(RuntimeError("no executor")))
    )
    silent = DagsterEvent("PIPELINE_FAILURE", "job", message="The run worker was killed by SIGKILL.")
    assert [change.error for logged in (own, silent) if (change := status_change(entry(logged)))] == [
        {"kind": "internal_error", "message": "RuntimeError: no executor", "node": None},
        {"kind": "run_failed", "message": "The run worker was killed by SIGKILL.", "node": None},
    ]


def test_line_of_dagsters_log_is_no_event() -> None:
    assert to_run_event(EventLogEntry(None, 40, "hello", "run", TS, step_key="node")) is None


def test_long_message_is_cut_and_tells_its_length() -> None:
    event = to_run_event(entry(DagsterEvent("PIPELINE_FAILURE", "job", message="x" * 20_000)))
    assert event is not None
    assert event.message == f"{'x' * 10_000}… (20000 characters)"


@given(st.text(st.characters(exclude_categories=())))
def test_storable_text_is_utf8_without_nul_and_keeps_what_may_stay(text: str) -> None:
    stored = storable(text)
    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    assert len(stored) == len(text)
    assert storable(stored) == stored
