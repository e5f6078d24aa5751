"""Headers that prove the sender are masked at once: neither templates nor the delivery log ever see them."""

from __future__ import annotations

from collections.abc import Mapping

from graph_compiler.language.webhook_trigger import WebhookTrigger
from graph_compiler.language.webhook_verify import HmacVerify

MASK = "[masked]"
_SECRET = frozenset(
    {
        "authorization",
        "cookie",
        "proxy-authorization",
        "stripe-signature",
        "webhook-signature",
        "x-api-key",
        "x-auth-token",
        "x-gitlab-token",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-shopify-hmac-sha256",
        "x-slack-signature",
    }
)


def masked(trigger: WebhookTrigger, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers, with credentials and signatures replaced by `MASK`."""
    own = trigger.verify.header.lower() if isinstance(trigger.verify, HmacVerify) else None
    return {name: MASK if name in _SECRET or name == own else value for name, value in headers.items()}
