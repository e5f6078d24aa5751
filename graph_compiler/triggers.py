"""What a trigger brings to a run: its params, made by templates from what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import NodeError
from .issues import Issue
from .pointers import pointer
from .templates import render
from .webhook_trigger import CustomAnswer, WebhookTrigger

CONTEXT = ("body", "headers", "method", "path", "query", "trigger")
"""The names that templates of a webhook's `params`, `filter` and `delivery_id` see."""
ANSWER_CONTEXT = ("outputs", "run", "trigger")
"""The names that templates of a custom answer see."""
MAX_DELIVERY_ID = 200
"""Characters of a delivery id."""


def map_params(trigger: WebhookTrigger, context: Mapping[str, Any]) -> tuple[dict[str, Any], list[Issue]]:
    """The params that the trigger makes of one delivery; an issue, at `/params/<name>`, for each that it cannot make.

    `context` has the names of `CONTEXT`. The params still have to pass `params.apply`.
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
