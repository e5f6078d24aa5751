"""What starts runs."""

from __future__ import annotations

from enum import StrEnum


class TriggerKind(StrEnum):
    """Who or what started a run."""

    MANUAL = "manual"
    WEBHOOK = "webhook"
    SCHEDULE = "schedule"
