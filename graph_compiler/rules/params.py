"""A params schema that is one, and triggers that give params it accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graph_compiler.drafts.draft import Draft, Placed
from graph_compiler.language.issues import Finding, did_you_mean
from graph_compiler.language.params import declared_names, param_errors, required_names, schema_defects
from graph_compiler.language.schedule_trigger import ScheduleTrigger
from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.templates.templates import templates_in
from graph_compiler.values.pointers import pointer_token


def params_schema(draft: Draft) -> Iterator[Finding]:
    """Defects of the schema under `params`."""
    for path, code, message in schema_defects(draft.params or {}):
        yield Finding(code, f"/params{path}", message)


def trigger_params(draft: Draft) -> Iterator[Finding]:
    """Params a trigger gives although the schema has none of that name or type, or does not give although it must."""
    schema = draft.params
    if schema is None or any(schema_defects(schema)):
        return
    for webhook in draft.triggers:
        yield from _of_trigger(webhook, schema)
    for schedule in draft.schedules:
        yield from _of_trigger(schedule, schema)


def _of_trigger(trigger: Placed[WebhookTrigger] | Placed[ScheduleTrigger], schema: dict[str, Any]) -> Iterator[Finding]:
    yield from given_params(schema, trigger.spec.params, trigger.path, f"the trigger `{trigger.spec.id}`")


def given_params(schema: dict[str, Any], given: Mapping[str, Any], owner: str, who: str) -> Iterator[Finding]:
    """What is wrong with the params that stand below `owner`: which there are, and those that are no templates."""
    declared = declared_names(schema)
    for name in sorted(required_names(schema) - given.keys()):
        path = f"{owner}/params" if given else owner
        yield Finding("missing_param", path, f"{who} does not give the param `{name}`")
    for name, value in given.items():
        path = f"{owner}/params/{pointer_token(name)}"
        if declared is not None and name not in declared:
            message = f"the param `{name}` is not declared"
            yield Finding("unknown_param", path, message, did_you_mean(name, declared), at_key=True)
        elif not any(templates_in(value, "")):
            for place, message in param_errors(schema, name, value):
                yield Finding("bad_param", path + place, message)
