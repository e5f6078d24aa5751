"""The one way to write a document, and the hash that names it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from graph_compiler.values.binary import dumps


def canonical_json(data: Any) -> str:
    """The data as JSON with sorted keys and no spaces: equal data, equal text, whatever it was written in."""
    return dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(document: str) -> str:
    """SHA-256 of a canonical document, in hexadecimal."""
    return sha256(document.encode()).hexdigest()
