"""Prometheus metrics of one process, in a registry of their own so that applications can be built more than once."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY_BUCKETS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5, 10, 30)


class Metrics:
    """What the web applications of a process count. Embedded, both share one, so that one page shows all."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.request_seconds = Histogram(
            "headrace_http_request_seconds",
            "Time from the request's head to the end of its answer.",
            ("app", "method", "route", "status"),
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.accepted_runs = Counter(
            "headrace_accepted_runs", "Runs accepted durably.", ("trigger_kind",), registry=self.registry
        )
        self.deliveries = Counter(
            "headrace_deliveries", "Received webhook calls by verdict.", ("verdict",), registry=self.registry
        )
        self.stream_followers = Gauge("headrace_stream_followers", "Event streams open now.", registry=self.registry)
        self.stream_lag = Gauge(
            "headrace_stream_lag_events", "Events that the slowest follower is behind.", registry=self.registry
        )
        self.stream_fallbacks = Counter(
            "headrace_stream_fallbacks",
            "Times a follower was behind the shared window and read the table instead.",
            registry=self.registry,
        )
        self.stream_delay_seconds = Histogram(
            "headrace_stream_delay_seconds",
            "Time from a live event's time stamp until its followers are woken.",
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.stream_events = Counter(
            "headrace_stream_events", "Events sent to followers.", ("transport",), registry=self.registry
        )
        self.stream_bytes = Counter(
            "headrace_stream_bytes", "Bytes of events sent to followers.", ("transport",), registry=self.registry
        )
        self.stream_endings = Counter(
            "headrace_stream_endings", "Streams that ended, by reason.", ("transport", "reason"), registry=self.registry
        )
        self.stream_refusals = Counter(
            "headrace_stream_refusals", "Streams refused because their principal has too many.", registry=self.registry
        )
