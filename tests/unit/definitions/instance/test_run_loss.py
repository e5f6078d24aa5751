"""The kind of a lost run survives Dagster's forms of an error."""

from __future__ import annotations

import pytest
from dagster import DagsterEvent

from definitions.instance.run_events import run_error
from definitions.instance.run_loss import failure_data, kind_and_message
from platform_core.facts.run_error import RunError


@pytest.mark.parametrize(
    "text",
    [
        "evicted: low: memory",
        "RunLost: evicted: low: memory",
        "definitions.instance.run_loss.RunLost: evicted: low: memory\n",
    ],
)
def test_kind_and_message_are_found_in_an_errors_text(text: str) -> None:
    assert kind_and_message(text) == ("evicted", "low: memory")


def test_what_is_reported_becomes_the_runs_error() -> None:
    data = failure_data("node_lost", "The node is gone.")
    event = DagsterEvent("PIPELINE_FAILURE", "job", event_specific_data=data)
    assert run_error(event) == RunError("node_lost", "The node is gone.")
