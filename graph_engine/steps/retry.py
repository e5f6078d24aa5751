"""How long a node rests between two attempts."""

from __future__ import annotations

from graph_compiler.language.spec import RetrySpec

LONGEST = 3650 * 86_400.0
"""Seconds; as of any duration in a document."""


def delay_before(retry: RetrySpec, attempt: int, chance: float) -> float:
    """Seconds between the end of this attempt (from 1) and the next; `chance` in [0, 1) decides on jitter."""
    match retry.backoff:
        case "exponential":
            delay = float(2**attempt - 1) * retry.delay
        case "linear":
            delay = attempt * retry.delay
        case "constant":
            delay = retry.delay
    match retry.jitter:
        case "full":
            delay *= chance
        case "plus_minus":
            delay += (2 * chance - 1) * retry.delay
        case "none":
            pass
    return min(max(0.0, delay), LONGEST)
