"""Whether a call is from who it says: each scheme on the raw bytes, in constant time, before anything is parsed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from graph_compiler.language.webhook_verify import (
    PLACEHOLDER,
    BasicVerify,
    BearerVerify,
    GithubVerify,
    GitlabVerify,
    HmacVerify,
    NoVerify,
    ShopifyVerify,
    SlackVerify,
    StandardWebhooksVerify,
    StripeVerify,
)
from trigger_api.webhooks.call import Call

_MILLISECONDS = 10**11
"""Above this a time is in milliseconds: in seconds it would be the year 5138."""

Key = bytes


def defect(verify: Any, secrets: Sequence[str], call: Call, now: float) -> str | None:
    """Why the call is not authentic, None if it is. `secrets` are those that hold, `now` is in seconds since 1970."""
    if isinstance(verify, NoVerify):
        return None
    keys = [secret.encode() for secret in secrets if secret]
    if not keys:
        return "The webhook's secret is not set."
    return _CHECKS[type(verify)](verify, keys, call, now)


def signed_with_time(verify: Any, call: Call) -> bytes | None:
    """What an authentic call has signed, if a time is in it: only a call that is sent again has the same."""
    if isinstance(verify, StripeVerify):
        return _stripe_signed(call)
    if isinstance(verify, SlackVerify):
        return _slack_signed(call)
    return _hmac_signed(verify, call) if isinstance(verify, HmacVerify) and verify.timestamp_header else None


def _stripe_signed(call: Call) -> bytes | None:
    parts = [part.strip().partition("=") for part in call.headers.get("stripe-signature", "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    return times[0].encode() + b"." + call.body if len(times) == 1 and times[0].isascii() else None


def _slack_signed(call: Call) -> bytes:
    return b"v0:" + call.headers.get("x-slack-request-timestamp", "").encode() + b":" + call.body


def _hmac_signed(verify: HmacVerify, call: Call) -> bytes:
    parts = {
        "body": call.body,
        "method": call.method.encode(),
        "path": call.url_path.encode(),
        "timestamp": call.headers.get((verify.timestamp_header or "").lower(), "").encode(),
    }
    pieces = PLACEHOLDER.split(verify.signed)
    return b"".join(parts[piece] if index % 2 else piece.encode() for index, piece in enumerate(pieces))


def _github(_: GithubVerify, keys: Sequence[Key], call: Call, __: float) -> str | None:
    given = call.headers.get("x-hub-signature-256", "")
    holds = [_same(given, "sha256=" + hmac.digest(key, call.body, "sha256").hex()) for key in keys]
    return _unless(holds, "X-Hub-Signature-256")


def _gitlab(_: GitlabVerify, keys: Sequence[Key], call: Call, __: float) -> str | None:
    given = call.headers.get("x-gitlab-token", "")
    return _unless([_same(given, key) for key in keys], "X-Gitlab-Token")


def _shopify(_: ShopifyVerify, keys: Sequence[Key], call: Call, __: float) -> str | None:
    given = call.headers.get("x-shopify-hmac-sha256", "")
    made = [base64.b64encode(hmac.new(key, call.body, hashlib.sha256).digest()) for key in keys]
    return _unless([_same(given, signature) for signature in made], "X-Shopify-Hmac-Sha256")


def _stripe(verify: StripeVerify, keys: Sequence[Key], call: Call, now: float) -> str | None:
    parts = [part.strip().partition("=") for part in call.headers.get("stripe-signature", "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    signed = _stripe_signed(call)
    if signed is None:
        return "Stripe-Signature needs one t= and a v1=."
    made = [hmac.new(key, signed, hashlib.sha256).hexdigest() for key in keys]
    holds = [_same(one, signature) for one in given for signature in made]
    return _unless(holds, "Stripe-Signature") or _late(times[0], verify.tolerance, now)


def _slack(verify: SlackVerify, keys: Sequence[Key], call: Call, now: float) -> str | None:
    time = call.headers.get("x-slack-request-timestamp", "")
    given = call.headers.get("x-slack-signature", "")
    signed = _slack_signed(call)
    made = ["v0=" + hmac.new(key, signed, hashlib.sha256).hexdigest() for key in keys]
    holds = [_same(given, signature) for signature in made]
    return _unless(holds, "X-Slack-Signature") or _late(time, verify.tolerance, now)


def _standard(verify: StandardWebhooksVerify, keys: Sequence[Key], call: Call, now: float) -> str | None:
    identifier, time = call.headers.get("webhook-id", ""), call.headers.get("webhook-timestamp", "")
    late = _late(time, verify.tolerance, now)
    if not identifier or late:
        return late or "Webhook-Id is missing."
    try:
        text = call.body.decode()
    except UnicodeDecodeError:
        return "The body is not text, which this scheme signs."
    if int(time) > _MILLISECONDS:
        return "The signed time is in milliseconds; this scheme's is in seconds."
    moment = datetime.fromtimestamp(int(time), UTC)
    given = call.headers.get("webhook-signature", "").split()
    made = [signature for key in keys if (signature := _standard_signature(key, identifier, moment, text))]
    return _unless([_same(one, signature) for one in given for signature in made], "Webhook-Signature")


def _standard_signature(key: Key, identifier: str, moment: datetime, text: str) -> str | None:
    try:
        return Webhook(key.decode()).sign(identifier, moment, text)
    except (
        ValueError,
        EmptyWebhookSecretError,
    ):  # not the base64 that the scheme wants, so it signs nothing
        return None


def _hmac(verify: HmacVerify, keys: Sequence[Key], call: Call, now: float) -> str | None:
    given = call.headers.get(verify.header.lower(), "")
    time = call.headers.get((verify.timestamp_header or "").lower(), "")
    signed = _hmac_signed(verify, call)
    made = [_encoded(verify, hmac.new(key, signed, verify.algorithm).digest()) for key in keys]
    # Senders differ in the case of hexadecimal digits, which means nothing.
    if verify.encoding == "hex":
        given = verify.prefix + given.removeprefix(verify.prefix).lower() if given.startswith(verify.prefix) else ""
    holds = [_same(given, verify.prefix + signature) for signature in made]
    late = _late(time, verify.tolerance, now) if verify.timestamp_header else None
    return _unless(holds, verify.header) or late


def _encoded(verify: HmacVerify, digest: bytes) -> str:
    return digest.hex() if verify.encoding == "hex" else base64.b64encode(digest).decode()


def _bearer(_: BearerVerify, keys: Sequence[Key], call: Call, __: float) -> str | None:
    return _unless([_same(_credentials(call, "bearer"), key) for key in keys], "Authorization")


def _basic(verify: BasicVerify, keys: Sequence[Key], call: Call, __: float) -> str | None:
    try:
        given = base64.b64decode(_credentials(call, "basic"), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    return _unless([_same(given, verify.username.encode() + b":" + key) for key in keys], "Authorization")


def _credentials(call: Call, scheme: str) -> str:
    given, _, credentials = call.headers.get("authorization", "").partition(" ")
    return credentials.strip() if given.lower() == scheme else ""


def _same(given: str | bytes, right: str | bytes) -> bool:
    # As bytes, because a header may hold what compare_digest does not take as text.
    return hmac.compare_digest(_bytes(given), _bytes(right))


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


def _unless(holds: Sequence[bool], header: str) -> str | None:
    return None if any(holds) else f"The sender could not be verified: {header} is missing or does not match."


def _moment(time: str) -> float | None:
    """Seconds since 1970 that a header names in seconds or milliseconds; None if it names none."""
    if not (time.isascii() and time.isdecimal() and len(time) <= 14):
        return None
    return int(time) / 1000 if int(time) > _MILLISECONDS else int(time)


def _late(time: str, tolerance: float, now: float) -> str | None:
    moment = _moment(time)
    if moment is None:
        return "The signed time is missing or is not a number of seconds."
    return None if abs(now - moment) <= tolerance else "The signed time is too far from now: too old, or a wrong clock."


_CHECKS: dict[type, Callable[[Any, Sequence[Key], Call, float], str | None]] = {
    GithubVerify: _github,
    GitlabVerify: _gitlab,
    StripeVerify: _stripe,
    SlackVerify: _slack,
    ShopifyVerify: _shopify,
    StandardWebhooksVerify: _standard,
    HmacVerify: _hmac,
    BearerVerify: _bearer,
    BasicVerify: _basic,
}
