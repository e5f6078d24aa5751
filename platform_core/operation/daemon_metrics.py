"""Prometheus metrics of the daemon: runs and queue, read from the database when asked, and what the cluster does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from platform_core.database.engine import Engine, reading
from platform_core.errors import Unavailable
from platform_core.facts.run_status import ENDED, IN_PROGRESS, RunStatus
from platform_core.runs.run_measures import DatabaseState, EndedRun, database_state, ended_since, queue_state

_START_BUCKETS = (0.05, 0.1, 0.2, 0.5, 1, 2, 4, 6, 10, 20, 60, 300)


class DaemonMetrics:
    """What the daemon counts. `observe` makes it also report the runs in a database."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "headrace_kubernetes_requests",
            "Requests to the Kubernetes API server; code `none`: no answer.",
            ("verb", "resource", "code"),
            registry=self.registry,
        )
        self.failures = Counter(
            "headrace_infrastructure_failures",
            "Runs that ended because of their pods, by kind of error.",
            ("kind",),
            registry=self.registry,
        )
        self.replacements = Counter(
            "headrace_infrastructure_retries", "Runs accepted in place of lost ones.", registry=self.registry
        )
        self.strays = Counter(
            "headrace_strays", "Jobs and pods deleted because their run had ended.", ("kind",), registry=self.registry
        )
        self.watches = Gauge(
            "headrace_watch_synced", "Whether a watch of the cluster is current.", ("kind",), registry=self.registry
        )
        self.loop_failures = Counter(
            "headrace_loop_failures", "Times that a loop of the daemon failed.", ("loop",), registry=self.registry
        )
        self.leads = Gauge("headrace_daemon_leads", "Whether this daemon leads (others wait).", registry=self.registry)
        self.ended = Counter("headrace_runs_ended", "Runs that ended, by status.", ("status",), registry=self.registry)
        self.first_node_seconds = Histogram(
            "headrace_first_node_seconds",
            "Time from a run's acceptance to the start of its first node; of ended runs.",
            buckets=_START_BUCKETS,
            registry=self.registry,
        )
        self.run_seconds = Histogram(
            "headrace_run_seconds",
            "Time from a run's acceptance to its end.",
            ("status",),
            buckets=(*_START_BUCKETS, 1800, 7200),
            registry=self.registry,
        )

        # A series that begins with its first event shows no increase by it.
        for status in ENDED:
            self.ended.labels(status)
            self.run_seconds.labels(status)
        for kind in ("job", "pod"):
            self.strays.labels(kind)

    def count_request(self, verb: str, resource: str, code: str) -> None:
        """One request to the API server."""
        self.requests.labels(verb, resource, code).inc()

    def observe(self, engine: Engine) -> None:
        """From now on report the runs in the engine's database, too."""
        self.registry.register(_RunCollector(engine, self._take))

    def _take(self, run: EndedRun) -> None:
        self.ended.labels(run.status).inc()
        self.run_seconds.labels(run.status).observe(run.seconds)
        if run.first_node_seconds is not None:
            self.first_node_seconds.observe(run.first_node_seconds)


class _RunCollector:
    """Asks the database at each scrape; without an answer only `headrace_database_up` is reported, as 0."""

    def __init__(self, engine: Engine, take: Callable[[EndedRun], None]) -> None:
        self._engine = engine
        self._take = take
        self._lock = threading.Lock()
        self._since: datetime | None = None

    def describe(self) -> Iterator[Metric]:
        """The names without a look at the database, for the registry."""
        yield from _families(None, {}, 0.0)

    def collect(self) -> Iterator[Metric]:
        try:
            with self._lock, reading(self._engine) as connection:
                state = database_state(connection)
                counts, oldest = queue_state(connection)
                ended = ended_since(connection, self._since or state.now)
                self._since = max([self._since or state.now, *(run.ended_at for run in ended)])
        except Unavailable:
            yield GaugeMetricFamily("headrace_database_up", "Whether the database answers.", value=0)
            return
        for run in ended:
            self._take(run)
        yield from _families(state, counts, oldest)


def _families(state: DatabaseState | None, counts: dict[RunStatus, int], oldest: float) -> Iterator[Metric]:
    by_status = GaugeMetricFamily("headrace_runs", "Runs that have not ended, by status.", labels=("status",))
    for status in (RunStatus.QUEUED, *IN_PROGRESS, RunStatus.WAITING):
        by_status.add_metric((status,), counts.get(status, 0))
    yield by_status
    yield GaugeMetricFamily("headrace_queue_oldest_seconds", "Age of the oldest queued run.", value=oldest)
    yield GaugeMetricFamily("headrace_database_up", "Whether the database answers.", value=1)
    size, connections, limit = (state.size_bytes, state.connections, state.limit) if state else (0, 0, 0)
    yield GaugeMetricFamily("headrace_database_bytes", "Size of the database.", value=size)
    yield GaugeMetricFamily("headrace_database_connections", "Connections to the server.", value=connections)
    yield GaugeMetricFamily("headrace_database_connections_limit", "Most connections it takes.", value=limit)
