"""How a webhook call proves who sent it: one model per scheme, chosen by `scheme`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from graph_compiler.values.durations import Duration
from graph_compiler.values.model import Identifier, Model

TOLERANCE = 300.0
"""Seconds a signed time may be away from now, unless a trigger says otherwise."""
SIGNED_PARTS = ("body", "method", "path", "timestamp")
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")

HeaderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]


class _Secret(Model):
    secret: Identifier = Field(description="Name of the owner's secret.")
    previous_secret: Identifier | None = Field(
        default=None, description="Name of a second secret that holds as well, while the first one is rotated."
    )


class _Timed(_Secret):
    tolerance: Duration = Field(default=TOLERANCE, description="How far the signed time may be from now.")


class GithubVerify(_Secret):
    """HMAC-SHA-256 of the raw body, in X-Hub-Signature-256."""

    scheme: Literal["github"]


class GitlabVerify(_Secret):
    """The secret itself, in X-Gitlab-Token."""

    scheme: Literal["gitlab"]


class StripeVerify(_Timed):
    """HMAC-SHA-256 of `time.body`, in Stripe-Signature (`t=`, `v1=`)."""

    scheme: Literal["stripe"]


class SlackVerify(_Timed):
    """HMAC-SHA-256 of `v0:time:body`, in X-Slack-Signature; the time is in X-Slack-Request-Timestamp."""

    scheme: Literal["slack"]


class ShopifyVerify(_Secret):
    """HMAC-SHA-256 of the raw body as base64, in X-Shopify-Hmac-Sha256."""

    scheme: Literal["shopify"]


class StandardWebhooksVerify(_Timed):
    """standardwebhooks.com: HMAC-SHA-256 of `id.time.body`, in Webhook-Signature; the secret begins with `whsec_`."""

    scheme: Literal["standard_webhooks"]


def _signed_text(text: str) -> str:
    parts = PLACEHOLDER.findall(text)
    unknown = [part for part in parts if part not in SIGNED_PARTS]
    if unknown or "body" not in parts:
        known = ", ".join(f"{{{part}}}" for part in SIGNED_PARTS)
        wrong = f"there is no {{{unknown[0]}}}" if unknown else "{body} is missing"
        raise PydanticCustomError("bad_value", "{reason}", {"reason": f"{wrong}; the parts are {known}"})
    return text


class HmacVerify(_Timed):
    """A keyed hash in a header, for senders without a scheme of their own here."""

    scheme: Literal["hmac"]
    header: HeaderName = Field(description="The header that carries the signature.", examples=["X-Signature"])
    prefix: str = Field(default="", max_length=100, description="What stands before it in the header, as `sha256=`.")
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signed: Annotated[str, StringConstraints(max_length=500), AfterValidator(_signed_text)] = Field(
        default="{body}",
        description="What is signed: text with {body}, {timestamp}, {method} and {path}.",
        examples=["{timestamp}.{body}"],
    )
    timestamp_header: HeaderName | None = Field(
        default=None, description="The header with the time that is signed, in seconds since 1970."
    )


class BearerVerify(_Secret):
    """`Authorization: Bearer` with the secret."""

    scheme: Literal["bearer"]


class BasicVerify(_Secret):
    """`Authorization: Basic` with this user name and the secret as the password."""

    scheme: Literal["basic"]
    username: str = Field(min_length=1, max_length=200, pattern=r"^[^:]+$")


class NoVerify(Model):
    """Whoever knows the address may call it."""

    scheme: Literal["none"]


VerifySpec = Annotated[
    GithubVerify
    | GitlabVerify
    | StripeVerify
    | SlackVerify
    | ShopifyVerify
    | StandardWebhooksVerify
    | HmacVerify
    | BearerVerify
    | BasicVerify
    | NoVerify,
    Field(discriminator="scheme"),
]
