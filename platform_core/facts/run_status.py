"""The statuses of a run. The command line imports this module, so it imports nothing heavy."""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run is between its acceptance and its end."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    CANCELING = "CANCELING"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    CANCELED = "CANCELED"

    @property
    def is_end(self) -> bool:
        """Whether a run stays in this status."""
        return self in ENDED


ENDED = (RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED)
"""The statuses a run ends with."""
IN_PROGRESS = (RunStatus.STARTING, RunStatus.RUNNING, RunStatus.CANCELING)
"""The statuses of a run that was launched and has not ended."""
