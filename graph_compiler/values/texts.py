"""Texts from elsewhere, shortened so that what shows them can tell that something is left out."""

from __future__ import annotations

ELLIPSIS = "…"
"""Stands where a text was cut: what masks secrets looks for parts of them beside it."""


def shortened(text: str, most: int) -> str:
    """The text, or its first `most` characters and an ellipsis."""
    return text if len(text) <= most else text[:most] + ELLIPSIS


def quoted(text: str, most: int) -> str:
    """The text as Python writes it, after `shortened`."""
    return repr(shortened(text, most))
