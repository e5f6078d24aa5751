"""Receiving a call: whether it is authentic, what it brings, and then in one statement the delivery and its run."""

from __future__ import annotations

import json
import math
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from graph_compiler.language.webhook_verify import SlackVerify
from graph_compiler.triggers import triggers
from platform_core.audit.audit_store import record
from platform_core.audit.entry import Action, Author, Target, TargetKind
from platform_core.database.engine import reading, transaction
from platform_core.errors import BadSignature, TooManyRequests, TriggerDisabled, Unavailable
from platform_core.facts.trigger_kind import TriggerKind
from platform_core.triggers.delivery_batch import store_delivery
from platform_core.triggers.delivery_store import ACCEPTED, REFUSED, Entry, Kept, NewDelivery
from platform_core.triggers.webhook_store import take_call
from platform_core.web.services import Services
from platform_core.web.strict_json import loads
from trigger_api.live.known_webhooks import KnownWebhook
from trigger_api.shared.uploads import Uploads
from trigger_api.webhooks.bodies import MULTIPART
from trigger_api.webhooks.call import Call
from trigger_api.webhooks.delivery_keys import event_of, id_of, key_of, sent_id
from trigger_api.webhooks.files import drop_files, keep_files, run_in_vain
from trigger_api.webhooks.mapping import Mapped, body_of, context_of, map_call
from trigger_api.webhooks.masking import masked
from trigger_api.webhooks.signatures import defect, signed_with_time

if TYPE_CHECKING:
    from trigger_api.live.state import State

LIGHT_BODY = 64 * 1024
"""Bytes of a body that is read as a value between two other calls; larger ones are on threads."""


@dataclass(frozen=True)
class Received:
    """What became of a call that was authentic: `issues` say why it started no run."""

    kept: Kept
    delivery_key: str
    verdict: str
    issues: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Challenge:
    """A question whose answer proves that the address is ours; it is no delivery."""

    answer: str


async def receive(services: Services, state: State, known: KnownWebhook, call: Call) -> Received | Challenge | None:
    """Store the delivery and accept its run, once per delivery key; None if the webhook has changed meanwhile.

    Raises `BadSignature`, `TriggerDisabled`, `TooManyRequests`, `UnsupportedMediaType`, `MissingDeliveryId` and
    `Unavailable`; then nothing is stored but the count.
    """
    if known.is_light and len(call.body) <= LIGHT_BODY and call.content_type != MULTIPART:  # files are written
        entry = _checked(services, known, call)
    else:
        entry = await to_thread.run_sync(_checked, services, known, call, limiter=state.receivers)
    if isinstance(entry, Challenge):
        return entry
    try:
        kept = await state.writer.write(entry)
    except Unavailable:
        raise  # perhaps it was stored; if not, the sweep for files without a run removes them
    except Exception:
        if run := run_in_vain(entry, None):
            await to_thread.run_sync(drop_files, services, run, limiter=state.receivers)
        raise
    if run := run_in_vain(entry, kept):
        await to_thread.run_sync(drop_files, services, run, limiter=state.receivers)
    return _received(services, entry, kept)


def store_replay(
    services: Services, known: KnownWebhook, delivery: NewDelivery, mapped: Mapped, author: Author
) -> Received | None:
    """Store what came once more and, if it makes a run, accept that; None if the webhook has changed meanwhile.

    Raises `Unavailable`.
    """
    entry = _entry(known, delivery, mapped)
    with transaction(services.engine) as connection:
        kept = store_delivery(connection, entry)
        if kept is not None and kept.is_new:
            target = Target(TargetKind.DELIVERY, delivery.replay_of, known.trigger.id, known.webhook.owner_id)
            after = {"replay": kept.id, "run": kept.run_id, "verdict": entry.verdict}
            record(connection, author, Action.DELIVERY_REPLAYED, target, after=after)
    if run := run_in_vain(entry, kept):
        drop_files(services, run)
    return _received(services, entry, kept)


def _entry(known: KnownWebhook, delivery: NewDelivery, mapped: Mapped) -> Entry:
    verdict = ACCEPTED if mapped.run is not None else mapped.verdict
    return Entry(known.webhook, delivery, mapped.run, verdict, mapped.issues)


def _received(services: Services, entry: Entry, kept: Kept | None) -> Received | None:
    if kept is None:
        return None
    key = entry.new.delivery_key
    if not kept.is_new:
        return Received(kept, key, "duplicate")
    if entry.run is not None:
        services.metrics.accepted_runs.labels(TriggerKind.WEBHOOK).inc()
    return Received(kept, key, entry.verdict, entry.issues or ())


def _checked(services: Services, known: KnownWebhook, call: Call) -> Entry | Challenge:
    reason = defect(known.trigger.verify, known.verify_secrets(), call, time.time())
    if reason is not None:
        raise BadSignature(reason)
    if isinstance(known.trigger.verify, SlackVerify) and (question := _slack_question(call)) is not None:
        return Challenge(question)
    if not known.webhook.enabled:
        raise TriggerDisabled(f"The trigger {known.trigger.id} is disabled.")
    if known.webhook.trigger not in call.counted:
        _demand_rate(services, known)
        call.counted.add(known.webhook.trigger)
    return _entry(known, *_prepare(services, known, call))


def _prepare(services: Services, known: KnownWebhook, call: Call) -> tuple[NewDelivery, Mapped]:
    headers = masked(known.trigger, call.headers)
    uploads = Uploads()
    body, issues = body_of(known, call, uploads, body_limit(services, known))
    context = context_of(known, call, headers, body)
    own, problems = (None, []) if issues else triggers.delivery_id(known.trigger, context)
    given = own if known.trigger.delivery_id else sent_id(call, known.trigger.verify.scheme)
    identity = str(uuid.uuid4())
    key = key_of(given, identity, signed_with_time(known.trigger.verify, call))
    trigger_data = {"delivery_id": id_of(key), "event": event_of(call)}
    context["trigger"] |= trigger_data
    issues = issues or [issue.as_dict() for issue in problems]
    mapped = Mapped(None, REFUSED, issues) if issues else map_call(known, context, trigger_data, uploads)
    delivery = NewDelivery(
        id=identity,
        delivery_key=key,
        method=call.method,
        path=call.path,
        query=call.query,
        headers=headers,
        body=call.body[: services.settings.delivery_body_bytes],
        body_size=len(call.body),
        client=call.client,
    )
    return delivery, keep_files(services, mapped, uploads)


def body_limit(services: Services, known: KnownWebhook) -> int:
    """The bytes that a body of the webhook may have, packed and unpacked."""
    limit, own = services.settings.max_body_bytes, known.trigger.max_body
    return limit if own is None else min(limit, own)


def _demand_rate(services: Services, known: KnownWebhook) -> None:
    limit = known.trigger.rate_limit
    if limit is None:
        return
    with reading(services.engine) as connection:
        wait = take_call(connection, known.webhook.trigger, limit.requests, limit.per)
    if wait:
        detail = f"This webhook takes {limit.requests} calls in {limit.per:g} s."
        raise TooManyRequests(detail, retry_after=math.ceil(wait))


def _slack_question(call: Call) -> str | None:
    if call.content_type != "application/json":
        return None
    try:
        body = loads(call.body)
    except json.JSONDecodeError:
        return None
    if isinstance(body, dict) and body.get("type") == "url_verification" and isinstance(body.get("challenge"), str):
        return str(body["challenge"])
    return None
