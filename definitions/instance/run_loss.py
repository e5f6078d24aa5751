"""A run that ends for what befell its worker, not for what its nodes did: the reason, and how Dagster carries it.

Internal used: `JobFailureData`, what Dagster stores with a run's failure.
"""

from __future__ import annotations

import re

from dagster._core.events import JobFailureData
from dagster_shared.error import SerializableErrorInfo

CLASS_NAME = "RunLost"
_SAID = re.compile(r"^(?:[\w.]+\.)?RunLost: |^")


def failure_data(kind: str, message: str) -> JobFailureData:
    """The failure of a run as `DagsterInstance.report_run_failed` takes it."""
    return JobFailureData(error=SerializableErrorInfo(f"{kind}: {message}", [], CLASS_NAME))


def kind_and_message(text: str) -> tuple[str, str]:
    """What `failure_data` put into an error's text."""
    kind, _, message = _SAID.sub("", text.strip(), count=1).partition(": ")
    return kind, message
