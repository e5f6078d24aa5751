"""What the streams of a process count; the metrics page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from platform_core.operation.metrics import Metrics
from stream_api.following.wire import WireEvent


class Sent:
    """Counts what one transport sends and how its streams end."""

    def __init__(self, metrics: Metrics, transport: str) -> None:
        # Looked up once: this is counted for every follower of every event.
        self._events = metrics.stream_events.labels(transport)
        self._bytes = metrics.stream_bytes.labels(transport)
        self._endings = metrics.stream_endings
        self._transport = transport

    def add(self, events: int, size: int) -> None:
        """Events went out to one follower, in so many bytes."""
        self._events.inc(events)
        self._bytes.inc(size)

    def ended(self, reason: str) -> None:
        """A stream ended, for this reason."""
        self._endings.labels(self._transport, reason).inc()


class Measures:
    """Counters of one process's streams, in the registry of its metrics."""

    def __init__(self, metrics: Metrics | None = None) -> None:
        metrics = metrics or Metrics()
        self.sse = Sent(metrics, "sse")
        self.websocket = Sent(metrics, "websocket")
        self.fallbacks = metrics.stream_fallbacks
        self._delay = metrics.stream_delay_seconds

    def arrived(self, events: Sequence[WireEvent]) -> None:
        """Live events were read from the table."""
        now = datetime.now(UTC)
        for event in events:
            self._delay.observe(max(0.0, (now - event.ts).total_seconds()))
