"""Schedule triggers of these tests."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Any

from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.triggers.fire_times import FireTimes


def timer(**parts: Any) -> ScheduleTrigger:
    return ScheduleTrigger.model_validate({"id": "tick", "type": "schedule", **parts})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first(count: int, after: str, **parts: Any) -> list[str]:
    """The first times after a moment, on the clock of the trigger's zone."""
    trigger = timer(**parts)
    times = islice(FireTimes(trigger).after(utc(after)), count)
    return [time.astimezone(trigger.zone).isoformat() for time in times]
