"""Replaying a delivery: what came then, through the graph as it is now, as a delivery and a run of their own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from platform_core.audit.entry import Author
from platform_core.database.engine import reading
from platform_core.errors import DeliveryIncomplete, TriggerNotFound, Unavailable
from platform_core.triggers.delivery_store import REFUSED, Delivery, NewDelivery
from platform_core.triggers.webhook_store import find_trigger
from platform_core.web.services import Services
from trigger_api.live.known_webhooks import KnownWebhook
from trigger_api.live.state import State
from trigger_api.shared.uploads import Uploads
from trigger_api.webhooks.call import Call
from trigger_api.webhooks.delivery_keys import event_of, id_of
from trigger_api.webhooks.files import keep_files
from trigger_api.webhooks.mapping import Mapped, body_of, context_of, map_call
from trigger_api.webhooks.receiving import Received, body_limit, store_replay

_MOST_CHANGES = 10


def replay(
    services: Services, state: State, delivery: Delivery, body: bytes, key: str | None, author: Author
) -> Received:
    """Accept a new run from a stored delivery, once per `key`; also while the trigger is disabled, since a person asks.

    Raises `DeliveryIncomplete`, `TriggerNotFound` if the graph has no such webhook any more, `UnsupportedMediaType`
    and `Unavailable`.
    """
    if len(body) < delivery.body_size:
        raise DeliveryIncomplete(f"Only {len(body)} of the body's {delivery.body_size} bytes were kept.")
    for _ in range(_MOST_CHANGES):
        with reading(services.engine) as connection:
            place = find_trigger(connection, delivery.trigger)
            if place is None:
                raise TriggerNotFound(f"The graph has no webhook {delivery.trigger_id} any more.")
            known = state.webhooks.describe(connection, place, None)
        received = store_replay(
            services, known, _new(delivery, body, key), _mapped(services, known, delivery, body), author
        )
        if received is not None:
            return received
    raise Unavailable("The webhook keeps changing; try again in a moment.")


def _new(delivery: Delivery, body: bytes, key: str | None) -> NewDelivery:
    identity = str(uuid.uuid4())
    return NewDelivery(
        id=identity,
        delivery_key=f":replay:{delivery.id}:{key or identity}",
        method=delivery.method,
        path=delivery.path,
        query=delivery.query,
        headers=delivery.headers,
        body=body,
        body_size=delivery.body_size,
        client=delivery.client,
        replay_of=delivery.id,
    )


def _mapped(services: Services, known: KnownWebhook, delivery: Delivery, body: bytes) -> Mapped:
    call = Call(
        method=delivery.method,
        url_path="",
        path=delivery.path,
        query=delivery.query,
        headers=delivery.headers,
        client=delivery.client,
        body=body,
    )
    uploads = Uploads()
    value, issues = body_of(known, call, uploads, body_limit(services, known))
    if issues:
        return Mapped(None, REFUSED, issues)
    # The same id as then: the run does the same, and differs from the first one by `replay_of`.
    data: Mapping[str, Any] = {"delivery_id": id_of(delivery.delivery_key), "event": event_of(call)}
    context = context_of(known, call, delivery.headers, value)
    context["trigger"] |= data
    mapped = map_call(known, context, {**data, "replay_of": delivery.id}, uploads)
    if mapped.run is None:
        return mapped
    mapped = replace(mapped, run=replace(mapped.run, parent_run_id=delivery.run_id))
    return keep_files(services, mapped, uploads)
