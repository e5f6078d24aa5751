"""What a trigger brings to a run: its params, made by templates from what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from .errors import NodeError
from .fire_times import FireTimes
from .issues import Issue
from .params import apply
from .pointers import pointer
from .schedule_trigger import ScheduleTrigger
from .spec import GraphSpec, WebhookTrigger
from .templates import render

LOOK_BACK = timedelta(days=3 * 366)
"""How far back the time before a tick is looked for."""
CONTEXT = ("body", "headers", "path", "query", "trigger")
"""The names that templates of a trigger's params see."""

SCHEDULE_CONTEXT = {
    "tick": (
        "time", "local", "date", "year", "month", "day", "hour", "minute", "second", "weekday", "unix", "previous",
    ),
    "trigger": ("kind", "id", "scheduled_at", "source"),
}  # fmt: skip
"""The names that templates of a schedule's params see, and what each of them has."""


def schedule_context(trigger: ScheduleTrigger, time: datetime, source: str) -> dict[str, Any]:
    """What templates see of one tick. `source` says what started it: `timer`, `fire` or `backfill`."""
    local = time.astimezone(trigger.zone)
    before = FireTimes(trigger).latest(time - LOOK_BACK, time - timedelta(microseconds=1), 1)
    tick = {
        "time": iso(time),
        "local": local.isoformat(),
        "date": local.date().isoformat(),
        **{name: getattr(local, name) for name in ("year", "month", "day", "hour", "minute", "second")},
        "weekday": local.isoweekday(),
        "unix": int(time.timestamp()),
        "previous": iso(before[0]) if before else None,
    }
    return {"tick": tick, "trigger": {"kind": "schedule", "id": trigger.id, **schedule_data(time, source)}}


def schedule_data(time: datetime, source: str) -> dict[str, Any]:
    """What a run keeps of its tick."""
    return {"scheduled_at": iso(time), "source": source}


def iso(time: datetime) -> str:
    """A moment as we write it everywhere: UTC, with Z."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def map_params(
    trigger: WebhookTrigger | ScheduleTrigger, context: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Issue]]:
    """The params that the trigger makes of a delivery or tick; an issue, at `/params/<name>`, for each it cannot make.

    `context` has the names of `CONTEXT` or `SCHEDULE_CONTEXT`. The params still have to pass `params.apply`.
    """
    params: dict[str, Any] = {}
    issues: list[Issue] = []
    for name, value in trigger.params.items():
        try:
            params[name] = render(value, context)
        except NodeError as error:
            issues.append(Issue("bad_param", f"/params{pointer([name])}", error.message))
    return params, issues


def tick_params(
    spec: GraphSpec, trigger: ScheduleTrigger, time: datetime, source: str
) -> tuple[dict[str, Any], list[Issue]]:
    """The params of one tick's run, complete, and what is wrong with them; with an issue there is no run."""
    mapped, issues = map_params(trigger, schedule_context(trigger, time, source))
    return ({}, issues) if issues else apply(spec, mapped)
