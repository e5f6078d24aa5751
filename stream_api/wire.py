"""An event as the transports send it: encoded once, sent to any number of followers."""

from __future__ import annotations

import json
from dataclasses import dataclass

import orjson

from platform_core.run_event_store import RunEvent


@dataclass(frozen=True, slots=True)
class WireEvent:
    """What a transport needs of an event: where it stands, what it is, and its JSON text."""

    seq: int
    type: str
    is_final: bool
    text: str

    @property
    def cursor(self) -> str:
        """The opaque position after this event."""
        return str(self.seq)

    @classmethod
    def of(cls, event: RunEvent) -> WireEvent:
        """The event in the form of DESIGN section 5."""
        return cls(event.seq, event.type, event.is_final, _encode(event))


def _encode(event: RunEvent) -> str:
    try:
        return orjson.dumps(event.wire()).decode()
    except TypeError:
        # orjson refuses integers above 64 bits and lone surrogates, both of which are legal JSON values of users.
        return json.dumps(event.wire(), separators=(",", ":"))
