"""What one execution may take."""

from __future__ import annotations

from dataclasses import dataclass

GRACE = 2.0
"""Seconds beyond its timeout that a node may take to end itself, and that an exception may take to end it."""
CANCEL_GRACE = 10.0
"""Seconds that a node may take to end itself when the run is to end."""
LAST_SECONDS = 60.0
"""Seconds that `finally` nodes have together once what they belong to was cut."""
SLOW = 0.05
"""Seconds after which a node of a light type shows that its type is not: from then on the run gives it threads."""


@dataclass(frozen=True)
class Limits:
    """`max_parallel` and `processors` hold for the run with all that it calls; times are in seconds."""

    max_parallel: int = 8
    processors: int = 2
    timeout: float | None = None
    """Of the run, from its first start on, waits included."""
    suspend_over: float | None = None
    """A run that only waits for longer than this is suspended; None: never."""
    look_every: float = 0.1
    """Seconds between two looks for answers while the run has other things to do."""
    max_items: int = 100_000
    """Of one `foreach`."""
    grace: float = GRACE
    cancel_grace: float = CANCEL_GRACE
    last_seconds: float = LAST_SECONDS
