"""GitHub's webhook scheme: HMAC-SHA-256 of the raw body, and a delivery id that redelivery keeps."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

SIGNATURE = "x-hub-signature-256"
DELIVERY = "x-github-delivery"
EVENT = "x-github-event"


def sign(secret: str, body: bytes) -> str:
    """The value of the signature header."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether the signature holds, compared in constant time."""
    # As bytes, because a header may hold what compare_digest does not take as text.
    return hmac.compare_digest(headers.get(SIGNATURE, "").encode(), sign(secret, body).encode())
