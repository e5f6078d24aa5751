"""Signatures as senders make them, written here a second time on purpose: each gives the headers of a call."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import Any

Headers = dict[str, str]


def github_signature(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + _hex(secret, body)


def _hex(secret: str, signed: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), signed, algorithm).hexdigest()


def _github(secret: str, body: bytes, _: int) -> Headers:
    return {"X-Hub-Signature-256": github_signature(secret, body), "X-GitHub-Delivery": hashlib.md5(body).hexdigest()}


def _gitlab(secret: str, _: bytes, __: int) -> Headers:
    return {"X-Gitlab-Token": secret}


def _stripe(secret: str, body: bytes, now: int) -> Headers:
    return {"Stripe-Signature": f"t={now},v0=ignored,v1={_hex(secret, b'%d.' % now + body)}"}


def _slack(secret: str, body: bytes, now: int) -> Headers:
    signature = "v0=" + _hex(secret, b"v0:%d:" % now + body)
    return {"X-Slack-Request-Timestamp": str(now), "X-Slack-Signature": signature}


def _shopify(secret: str, body: bytes, _: int) -> Headers:
    return {"X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()}


def _standard(secret: str, body: bytes, now: int) -> Headers:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    identifier = "msg_" + hashlib.md5(body).hexdigest()
    signed = f"{identifier}.{now}.".encode() + body
    signature = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"Webhook-Id": identifier, "Webhook-Timestamp": str(now), "Webhook-Signature": signature}


def _hmac_512(secret: str, body: bytes, now: int) -> Headers:
    signed = b"%d.POST./hook/x." % now + body
    digest = hmac.digest(secret.encode(), signed, "sha512")
    return {"X-Sent": str(now), "X-Sign": "v=" + base64.b64encode(digest).decode()}


def _hmac_sha1(secret: str, body: bytes, _: int) -> Headers:
    return {"X-Sign": _hex(secret, body, "sha1").upper()}


def _bearer(secret: str, _: bytes, __: int) -> Headers:
    return {"Authorization": f"Bearer {secret}"}


def _basic(secret: str, _: bytes, __: int) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(f"mill:{secret}".encode()).decode()}


SCHEMES: Mapping[str, tuple[dict[str, Any], Callable[[str, bytes, int], Headers]]] = {
    "github": ({"scheme": "github"}, _github),
    "gitlab": ({"scheme": "gitlab"}, _gitlab),
    "stripe": ({"scheme": "stripe"}, _stripe),
    "slack": ({"scheme": "slack"}, _slack),
    "shopify": ({"scheme": "shopify"}, _shopify),
    "standard_webhooks": ({"scheme": "standard_webhooks"}, _standard),
    "hmac sha512": (
        {
            "scheme": "hmac",
            "header": "X-Sign",
            "prefix": "v=",
            "algorithm": "sha512",
            "encoding": "base64",
            "signed": "{timestamp}.{method}.{path}.{body}",
            "timestamp_header": "X-Sent",
        },
        _hmac_512,
    ),
    "hmac sha1": ({"scheme": "hmac", "header": "x-sign", "algorithm": "sha1"}, _hmac_sha1),
    "bearer": ({"scheme": "bearer"}, _bearer),
    "basic": ({"scheme": "basic", "username": "mill"}, _basic),
}
"""The `verify` of each scheme without its secrets, and what signs for it: secret, body and seconds since 1970."""

SIGN_BODY = {"github", "stripe", "slack", "shopify", "standard_webhooks", "hmac sha512", "hmac sha1"}
SIGN_TIME = {"stripe", "slack", "standard_webhooks", "hmac sha512"}


def secret_for(scheme: str, text: str = "a secret") -> str:
    """A secret in the form that the scheme wants."""
    return "whsec_" + base64.b64encode(text.encode()).decode() if scheme == "standard_webhooks" else text


def signed(scheme: str, secret: str, body: bytes, *, now: int | None = None) -> Headers:
    """The headers of an authentic call."""
    return SCHEMES[scheme][1](secret, body, int(time.time()) if now is None else now)
