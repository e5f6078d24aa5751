"""A run that ends for what befell its worker, not for what its nodes did: the reason, and how Dagster carries it."""

from __future__ import annotations

import re

from dagster._core.events import JobFailureData
from dagster_shared.error import SerializableErrorInfo

CLASS_NAME = "RunLost"
_SAID = re.compile(r"^(?:[\w.]+\.)?RunLost: |^")


class RunLost(Exception):
    """Ends a run with a kind of error and a message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message


def failure_data(kind: str, message: str) -> JobFailureData:
    """The failure of a run as `DagsterInstance.report_run_failed` takes it."""
    return JobFailureData(error=SerializableErrorInfo(f"{kind}: {message}", [], CLASS_NAME))


def kind_and_message(text: str) -> tuple[str, str]:
    """What `RunLost` or `failure_data` put into an error's text."""
    kind, _, message = _SAID.sub("", text.strip(), count=1).partition(": ")
    return kind, message
