"""What a trigger brings to a run: its params, made by templates from what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import NodeError
from .issues import Issue
from .pointers import pointer
from .spec import WebhookTrigger
from .templates import render

CONTEXT = ("body", "headers", "path", "query", "trigger")
"""The names that templates of a trigger's params see."""


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
