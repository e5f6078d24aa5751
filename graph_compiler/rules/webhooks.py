"""What a webhook says of itself must fit together: templates where they stand, and keys that need one another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graph_compiler.drafts.draft import Draft
from graph_compiler.language.issues import Issue, did_you_mean
from graph_compiler.language.webhook_trigger import RESERVED_HEADERS, CustomAnswer, WebhookTrigger
from graph_compiler.language.webhook_verify import HmacVerify
from graph_compiler.rules.names import names_in_text
from graph_compiler.templates.templates import analyse, is_template, templates_in
from graph_compiler.triggers.triggers import ANSWER_CONTEXT, CONTEXT
from graph_compiler.values.pointers import pointer_token


def webhook_templates(draft: Draft) -> Iterator[Issue]:
    """Defects and unknown names in filters, delivery ids and answers."""
    for placed in draft.triggers:
        trigger = placed.spec
        if not isinstance(trigger, WebhookTrigger):
            continue
        for key, text in (("filter", trigger.filter), ("delivery_id", trigger.delivery_id)):
            if text is not None:
                yield from _single(f"{placed.path}/{key}", key, text)
        if isinstance(trigger.respond, CustomAnswer):
            yield from _answer(draft, f"{placed.path}/respond", trigger.respond)


def webhook_pairs(draft: Draft) -> Iterator[Issue]:
    """Keys that mean something only together."""
    for placed in draft.triggers:
        trigger = placed.spec
        if not isinstance(trigger, WebhookTrigger):
            continue
        verify, challenge = trigger.verify, trigger.challenge
        if isinstance(verify, HmacVerify) and ("{timestamp}" in verify.signed) != bool(verify.timestamp_header):
            if verify.timestamp_header is None:
                message = "`signed` has {timestamp}, so `timestamp_header` has to name its header"
                yield Issue("missing_key", f"{placed.path}/verify", message)
            else:
                message = "a time that is not signed proves nothing; `signed` has no {timestamp}"
                yield Issue("bad_value", f"{placed.path}/verify/timestamp_header", message)
        if challenge is not None and (challenge.token_query is None) != (challenge.token_secret is None):
            message = "`token_query` and `token_secret` need one another"
            yield Issue("missing_key", f"{placed.path}/challenge", message)


def _single(path: str, key: str, text: str) -> Iterator[Issue]:
    if not is_template(text):
        yield Issue("bad_value", path, f"`{key}` is a template such as {{{{ body.id }}}}")
    yield from names_in_text(text, path, CONTEXT)


def _answer(draft: Draft, path: str, answer: CustomAnswer) -> Iterator[Issue]:
    parts: dict[str, Any] = {"headers": dict(answer.headers), "body": answer.body}
    for name in answer.headers:
        if name.lower() in RESERVED_HEADERS:
            message = f"an answer may not have the header `{name}`: the server sets it, or it would hold for all of it"
            yield Issue("bad_value", f"{path}/headers/{pointer_token(name)}", message, at_key=True)
    for place, text in templates_in(parts, path):
        yield from names_in_text(text, place, ANSWER_CONTEXT)
        for reference in analyse(text).references:
            if reference.root == "outputs" and len(reference.path) > 1 and reference.path[1] not in draft.outputs:
                message = f"the graph has no output `{reference.path[1]}`"
                hint = did_you_mean(reference.path[1], draft.outputs)
                yield Issue("unknown_name", place, message, hint, inside=(reference.line, reference.column))
