"""An event as the transports send it: encoded once, sent to any number of followers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

import orjson

from platform_core.runs.run_event_store import RunEvent

# Clients that split a stream at every Unicode line end, as some do, must find none inside an event.
_LINE_ENDS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))


@dataclass(frozen=True, slots=True)
class WireEvent:
    """What a transport needs of an event: what it is, and its bytes. `frame` is its Server-Sent Event."""

    seq: int
    ts: datetime
    type: str
    node: str | None
    level: str
    is_final: bool
    frame: bytes
    json_start: int

    @property
    def cursor(self) -> str:
        """The opaque position after this event."""
        return str(self.seq)

    @property
    def json(self) -> bytes:
        """The event's JSON text; it stands in the frame once."""
        return self.frame[self.json_start : -2]

    @classmethod
    def of(cls, event: RunEvent, data: str | None = None) -> WireEvent:
        """The event in the form of DESIGN section 5; `data` is the JSON text of the event's data if it is known."""
        text = _encode(event, data)
        head = f"id: {event.seq}\nevent: {event.type}\ndata: ".encode()
        frame = b"%b%b\n\n" % (head, text)
        return cls(event.seq, event.ts, event.type, event.node, event.level, event.is_final, frame, len(head))


def _encode(event: RunEvent, data: str | None) -> bytes:
    wire = event.wire()
    wire["data"] = orjson.Fragment(json.dumps(event.data, separators=(",", ":")) if data is None else data)
    text = orjson.dumps(wire)
    for line_end, escaped in _LINE_ENDS:
        text = text.replace(line_end, escaped)
    return text
