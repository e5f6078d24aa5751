"""The one statement by which all runs of a look of the queue start: claimed here, and made Dagster runs.

It is one transaction: of each run all of it is there or nothing. A run that was submitted, ended or is to be canceled
meanwhile, that Dagster has already, or whose snapshots Dagster has lost, is left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from definitions.daemon.run_template import StartedRun
from platform_core.database.hot_statement import hot_statement

# Rows are locked in one order by everyone, so that two statements cannot wait for each other.
_STATEMENT = hot_statement("""
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%(run)b::text[], %(job)b::text[], %(snapshot)b::text[], %(plan)b::text[], %(body)b::text[],
                         %(event)b::text[])
        WITH ORDINALITY AS g (run_id, job, snapshot, plan, body, event, position)
), waiting AS MATERIALIZED (
    SELECT run_id FROM headrace.runs
    WHERE run_id = ANY(%(run)b::text[])
        AND submitted_at IS NULL AND ended_at IS NULL AND cancel_requested_at IS NULL
    ORDER BY run_id FOR UPDATE
), claimed AS MATERIALIZED (
    UPDATE headrace.runs AS r SET status = 'STARTING', submitted_at = clock_timestamp()
    FROM waiting JOIN given AS g USING (run_id)
    WHERE r.run_id = waiting.run_id
        AND NOT EXISTS (SELECT FROM runs WHERE runs.run_id = g.run_id)
        AND EXISTS (SELECT FROM snapshots WHERE snapshot_id = g.snapshot)
        AND EXISTS (SELECT FROM snapshots WHERE snapshot_id = g.plan)
    RETURNING r.run_id
), dagsters AS (
    INSERT INTO runs (run_id, snapshot_id, pipeline_name, status, run_body, create_timestamp, update_timestamp)
    SELECT g.run_id, g.snapshot, g.job, 'STARTING', g.body, %(now)s, %(now)s
    FROM given AS g JOIN claimed USING (run_id) ORDER BY g.position
), tags AS (
    INSERT INTO run_tags (run_id, key, value)
    SELECT t.run_id, t.key, t.value
    FROM unnest(%(tag_run)b::text[], %(tag_key)b::text[], %(tag_value)b::text[])
        WITH ORDINALITY AS t (run_id, key, value, position)
    JOIN claimed USING (run_id) ORDER BY t.position
), logs AS (
    INSERT INTO event_logs (run_id, event, dagster_event_type, "timestamp")
    SELECT g.run_id, g.event, 'PIPELINE_STARTING', %(now)s
    FROM given AS g JOIN claimed USING (run_id) ORDER BY g.position
)
SELECT run_id FROM claimed
""")


def build(started: Sequence[StartedRun], now: float) -> tuple[str, dict[str, Any]]:
    """Statement and parameters; it answers the ids of those that have started. `now` is in seconds since the epoch."""
    tags = [(run.run_id, key, value) for run in started for key, value in run.tags.items()]
    return _STATEMENT, {
        "run": [run.run_id for run in started],
        "job": [run.job for run in started],
        "snapshot": [run.snapshot for run in started],
        "plan": [run.plan for run in started],
        "body": [run.body for run in started],
        "event": [run.event for run in started],
        "tag_run": [run_id for run_id, _, _ in tags],
        "tag_key": [key for _, key, _ in tags],
        "tag_value": [value for _, _, value in tags],
        "now": datetime.fromtimestamp(now, UTC).replace(tzinfo=None),  # Dagster's columns have no zone
    }
