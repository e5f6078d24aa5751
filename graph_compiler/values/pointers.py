"""JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterable


def pointer_token(key: str | int) -> str:
    """One step of a pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def pointer(steps: Iterable[str | int]) -> str:
    """The pointer that takes these steps from the root; the root's own is empty."""
    return "".join(f"/{pointer_token(step)}" for step in steps)
