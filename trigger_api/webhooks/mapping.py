"""From a call to a run: the filter's verdict, the params, and what the delivery log keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graph_compiler.language.issues import Issue
from graph_compiler.language.params import apply
from graph_compiler.language.webhook_verify import GithubVerify
from graph_compiler.templates.templates import templates_in
from graph_compiler.triggers.triggers import map_params, passes_filter
from graph_compiler.values.file_values import file_values_in
from graph_compiler.values.pointers import pointer
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.runs.run_store import NewRun
from platform_core.triggers.delivery_store import FILTERED, REFUSED
from trigger_api.live.known_webhooks import KnownWebhook
from trigger_api.shared.uploads import Uploads
from trigger_api.webhooks.bodies import BadBody, kind_of, payload_of_form, value_of
from trigger_api.webhooks.call import Call
from trigger_api.webhooks.codings import unpacked

Issues = list[dict[str, Any]]


@dataclass(frozen=True)
class Mapped:
    """A run to be accepted, or else the verdict and its issues."""

    run: NewRun | None
    verdict: str = ""
    issues: Issues | None = None


def body_of(known: KnownWebhook, call: Call, uploads: Uploads, limit: int) -> tuple[Any, Issues]:
    """The body as templates see it, its files added to `uploads`, or an issue at `/body`.

    Raises `UnsupportedMediaType`, and `TooLarge` beyond `limit` bytes unpacked.
    """
    kind = kind_of(call, known.trigger.body)
    try:
        call = unpacked(call, limit)
        if kind == "form" and known.trigger.body == "auto" and isinstance(known.trigger.verify, GithubVerify):
            return payload_of_form(call), []
        return value_of(call, kind, uploads.add), []
    except BadBody as error:
        return None, [Issue("bad_syntax", "/body", str(error)).as_dict()]


def context_of(known: KnownWebhook, call: Call, headers: Mapping[str, str], body: Any) -> dict[str, Any]:
    """What templates see, but for what names the delivery."""
    return {
        "headers": dict(headers),
        "query": dict(call.query),
        "path": call.path,
        "method": call.method,
        "body": body,
        "trigger": {"kind": TriggerKind.WEBHOOK.value, "id": known.trigger.id},
    }


def map_call(
    known: KnownWebhook, context: Mapping[str, Any], trigger_data: Mapping[str, Any], uploads: Uploads
) -> Mapped:
    """What the trigger makes of a call; `context` has the names of `triggers.CONTEXT`, `uploads` the call's files."""
    passes, issues = passes_filter(known.trigger, context)
    if issues:
        return _refused(issues)
    if not passes:
        return Mapped(None, FILTERED)
    params, issues = map_params(known.trigger, context)
    issues += _foreign_files(known, params, uploads)
    if not issues:
        params, issues = apply(known.spec, params)
    if issues:
        return _refused(issues)
    webhook = known.webhook
    return Mapped(
        NewRun(
            graph_id=webhook.graph_id,
            version=webhook.version,
            owner_id=webhook.owner_id,
            params=params,
            trigger_kind=TriggerKind.WEBHOOK,
            trigger_id=webhook.trigger_id,
            trigger_data=trigger_data,
            priority=known.spec.settings.priority,
        )
    )


def _foreign_files(known: KnownWebhook, params: Mapping[str, Any], uploads: Uploads) -> Iterator[Issue]:
    """An issue for each file value that a template made of anything but the call's own files.

    A sender could name any file of the owner's.
    """
    for name, value in params.items():
        if not any(templates_in(known.trigger.params[name], "")):
            continue
        for place, file in file_values_in(value, f"/params{pointer([name])}"):
            if file not in uploads:
                said = "this says it is a file of yours; a sender's files come as parts of a multipart body"
                yield Issue("bad_param", place, said)


def _refused(issues: list[Issue]) -> Mapped:
    return Mapped(None, REFUSED, [issue.as_dict() for issue in issues])
