"""Why a stream ends: the reason is part of the protocol, the detail is for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a stream ends. `reason` is for programs, `detail` for people."""

    reason: str
    detail: str


FINAL = Ending("final", "The final event was sent.")
REQUESTED = Ending("requested", "The client unsubscribed.")
STOPPING = Ending("stopping", "This server is stopping; come back with your cursor.")
PURGED = Ending("purged", "The run and its events were deleted.")
LEFT = Ending("left", "The client left.")
BROKEN = Ending("internal_error", "Reading the events failed here; come back with your cursor.")
YIELDED = Ending("yielded", "All that there is was sent, and another run waits for this place.")
"""Of a run of a group, which is followed again when it has more. No client sees it."""
