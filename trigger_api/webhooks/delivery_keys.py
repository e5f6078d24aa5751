"""What tells a delivery that is sent again from a new one: an id the sender gives, or a signature made at a time.

Nothing is made of the body alone, which may well be the same twice. Signed bytes with their time are not: a caller
that sends those again has recorded them.
"""

from __future__ import annotations

import hashlib

from graph_compiler.triggers.triggers import MAX_DELIVERY_ID
from platform_core.errors import MissingDeliveryId
from trigger_api.webhooks.call import Call

IDEMPOTENCY_KEY = "idempotency-key"
_HEADERS = {
    "github": "x-github-delivery",
    "shopify": "x-shopify-webhook-id",
    "standard_webhooks": "webhook-id",
}
_WITHOUT_ID = ("slack", "stripe")
"""Schemes whose senders give no id in a header; one that is there is not signed, so anybody may have put it there."""
_EVENTS = ("x-github-event", "x-gitlab-event", "x-shopify-topic")


def sent_id(call: Call, scheme: str) -> str | None:
    """The id that the sender's scheme, or else `Idempotency-Key`, gives; None if the call has none.

    Raises `MissingDeliveryId` when it is too long, or missing where the sender always sends one.
    """
    if scheme in _WITHOUT_ID:
        return None
    header = _HEADERS.get(scheme, IDEMPOTENCY_KEY)
    given = call.headers.get(header) or (None if scheme == "github" else call.headers.get(IDEMPOTENCY_KEY))
    if given is None and scheme != "github":
        return None
    if not given or len(given) > MAX_DELIVERY_ID:
        raise MissingDeliveryId(f"A delivery needs its id in {header}, at most {MAX_DELIVERY_ID} characters.")
    return given


def key_of(given: str | None, delivery: str, signed: bytes | None = None) -> str:
    """The delivery's key: the sender's id, else that of what it signed with a time, else one that nothing else has.

    Keys of ours begin with one colon.
    """
    if given is None:
        return f":{delivery}" if signed is None else f":signed:{hashlib.sha256(signed).hexdigest()}"
    return f":{given}" if given.startswith(":") else given


def id_of(key: str) -> str:
    """The id in a key, as it is shown."""
    return key.removeprefix(":")


def event_of(call: Call) -> str | None:
    """What the sender calls the kind of event, if a header says so."""
    return next((call.headers[name] for name in _EVENTS if name in call.headers), None)
