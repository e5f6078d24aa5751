"""Secrets that a run has read, and text and values without them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
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
        """The JSON value without secrets, in keys too."""
        return _mapped(value, self.text) if self._known else value


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {change(key): _mapped(item, change) for key, item in value.items()}
    return value
