"""The daemon tells of the runs in its database, and that it is away."""

from __future__ import annotations

from prometheus_client import generate_latest
from sqlalchemy.engine import Engine

from platform_core.database.engine import build_engine
from platform_core.operation.daemon_metrics import DaemonMetrics


def sample(metrics: DaemonMetrics, line: str) -> bool:
    return any(each.startswith(line) for each in generate_latest(metrics.registry).decode().splitlines())


def test_runs_queue_and_database_are_told(engine: Engine) -> None:
    metrics = DaemonMetrics()
    metrics.observe(engine)
    assert sample(metrics, 'headrace_runs{status="QUEUED"} 0.0')
    assert sample(metrics, "headrace_database_up 1.0")
    assert sample(metrics, "headrace_queue_oldest_seconds 0.0")
    assert not sample(metrics, "headrace_database_bytes 0.0")


def test_a_database_that_is_away_is_told() -> None:
    engine = build_engine("postgresql://127.0.0.1:1/none", connect_args={"connect_timeout": 1})
    metrics = DaemonMetrics()
    metrics.observe(engine)
    assert sample(metrics, "headrace_database_up 0.0")
    assert not sample(metrics, "headrace_runs{")
    engine.dispose()
