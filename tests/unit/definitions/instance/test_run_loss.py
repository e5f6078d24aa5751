"""The kind of a lost run survives Dagster's forms of an error."""

from __future__ import annotations

import sys

import pytest
from dagster._utils.error import serializable_error_info_from_exc_info

from definitions.instance.run_events import _error_info
from definitions.instance.run_loss import RunLost, failure_data, kind_and_message


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
    error = failure_data("node_lost", "The node is gone.").error
    assert error is not None
    assert _error_info(error) == {"kind": "node_lost", "message": "The node is gone."}


def test_what_is_raised_becomes_the_runs_error() -> None:
    try:
        raise RunLost("pod_terminated", "It was told to end.")
    except RunLost:
        error = serializable_error_info_from_exc_info(sys.exc_info())
    assert _error_info(error) == {"kind": "pod_terminated", "message": "It was told to end."}
