"""What a trigger brings to a run: its params, made by templates from what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from graph_compiler.language.issues import Issue
from graph_compiler.language.params import apply
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.spec import GraphSpec
from graph_compiler.language.webhook_trigger import CustomAnswer, WebhookTrigger
from graph_compiler.templates.templates import render
from graph_compiler.triggers.fire_times import FireTimes
from graph_compiler.values.errors import NodeError
from graph_compiler.values.pointers import pointer

LOOK_BACK = timedelta(days=3 * 366)
"""How far back the time before a tick is looked for."""
CONTEXT = ("body", "headers", "method", "path", "query", "trigger")
"""The names that templates of a webhook's `params`, `filter` and `delivery_id` see."""
ANSWER_CONTEXT = ("outputs", "run", "trigger")
"""The names that templates of a custom answer see."""
MAX_DELIVERY_ID = 200
"""Characters of a delivery id."""

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


def passes_filter(trigger: WebhookTrigger, context: Mapping[str, Any]) -> tuple[bool, list[Issue]]:
    """Whether the trigger's filter lets the delivery through; an issue, at `/filter`, if it cannot say."""
    if trigger.filter is None:
        return True, []
    try:
        verdict = render(trigger.filter, context)
    except NodeError as error:
        return False, [Issue("bad_value", "/filter", error.message)]
    if not isinstance(verdict, bool):
        return False, [Issue("bad_value", "/filter", f"the filter gives {verdict!r:.80}, neither true nor false")]
    return verdict, []


def delivery_id(trigger: WebhookTrigger, context: Mapping[str, Any]) -> tuple[str | None, list[Issue]]:
    """The delivery's id by the trigger's own template, None without one; an issue, at `/delivery_id`, if that fails."""
    if trigger.delivery_id is None:
        return None, []
    try:
        value = render(trigger.delivery_id, context)
    except NodeError as error:
        return None, [Issue("bad_value", "/delivery_id", error.message)]
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not 0 < len(text) <= MAX_DELIVERY_ID or not text.isprintable():
        message = f"a delivery id is a number or text of 1 to {MAX_DELIVERY_ID} visible characters, not {value!r:.80}"
        return None, [Issue("bad_value", "/delivery_id", message)]
    return text, []


def render_answer(answer: CustomAnswer, context: Mapping[str, Any]) -> tuple[dict[str, str], Any]:
    """The headers and the body of a custom answer. Raises `NodeError` where a template fails."""
    headers = {name: str(render(value, context)) for name, value in answer.headers.items()}
    return headers, render(answer.body, context)


def tick_params(
    spec: GraphSpec, trigger: ScheduleTrigger, time: datetime, source: str
) -> tuple[dict[str, Any], list[Issue]]:
    """The params of one tick's run, complete, and what is wrong with them; with an issue there is no run."""
    mapped, issues = map_params(trigger, schedule_context(trigger, time, source))
    return ({}, issues) if issues else apply(spec, mapped)
