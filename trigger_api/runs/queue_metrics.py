"""How full the queue is, for Prometheus: read from the database when it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from platform_core.database.engine import Engine, reading
from platform_core.errors import Unavailable
from platform_core.runs.queue_store import read_depth

_log = logging.getLogger(__name__)


class QueueMetrics(Collector):
    """Three gauges of the whole installation; none of them while the database is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that to register it asks for no database."""
        return ()

    def collect(self) -> Iterable[Metric]:
        try:
            with reading(self._engine) as connection:
                depth = read_depth(connection)
        except Unavailable:
            _log.warning("cannot read the depth of the queue")
            return
        yield GaugeMetricFamily("headrace_queue_waiting_runs", "Runs that wait for their turn.", depth.waiting)
        yield GaugeMetricFamily(
            "headrace_queue_oldest_seconds", "Time that the oldest waiting run has waited.", depth.oldest_seconds
        )
        yield GaugeMetricFamily("headrace_queue_executed_runs", "Runs that have begun and not ended.", depth.executed)
