"""Secrets that a run has read, and text and values without them."""

from __future__ import annotations

import json
import threading
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "***"
SHORTEST = 4
"""Characters of the shortest secret that is masked: a shorter one would garble all else, and protects nothing."""


class Masking:
    """Replaces each secret it was told of, also as written in a URL or in JSON, and each line of it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[str, ...] = ()

    def add(self, secret: str) -> None:
        """From now on mask this one, too."""
        parts = [secret, *(line.strip() for line in secret.splitlines())]
        forms = {form for part in parts for form in (part, quote(part, safe=""), quote_plus(part), _escaped(part))}
        with self._lock:
            self._known = tuple(
                sorted({*self._known, *(form for form in forms if len(form) >= SHORTEST)}, key=len, reverse=True)
            )

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return text

    def value(self, value: Any) -> Any:
        """The value without secrets, in keys too, and in bytes as UTF-8."""
        return self._masked(value) if self._known else value

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            for secret in self._known:
                value = value.replace(secret.encode(), MASK.encode())
            return value
        if isinstance(value, list):
            return [self._masked(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): self._masked(item) for key, item in value.items()}
        return value


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
