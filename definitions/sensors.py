"""Sensors in Dagster's UI. `inbox` sweeps deliveries that were accepted and, after a while, are still not launched.

The daemon submits runs within milliseconds (docs/adr/0007); this is the second look that people can see. It submits
by the same way with the same run id, and a lock per run keeps the two from doing it at once.
"""

from __future__ import annotations

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor
from dagster._core.storage.tags import RUN_KEY_TAG, SENSOR_NAME_TAG

from definitions.context import process_context
from definitions.submission import BATCH, Submission
from platform_core.database import reading
from platform_core.execution_store import list_waiting_deliveries

INBOX = "inbox"
INTERVAL = 30
"""Seconds between two looks."""
PATIENCE = 15.0
"""Seconds the daemon has to submit a delivery's run before it is swept."""


@sensor(
    name=INBOX,
    minimum_interval_seconds=INTERVAL,
    default_status=DefaultSensorStatus.RUNNING,
    description="Launches what webhooks delivered and nobody has launched yet. A delivery's id is its run key.",
)
def inbox(context: SensorEvaluationContext) -> SkipReason:
    """Submit the runs of waiting deliveries; the tick's text says which.

    It asks Dagster for no run itself: one of Dagster's making would have another id than the delivery was answered.
    """
    process = process_context()
    submission = Submission(process.settings, process.engine, context.instance)
    with reading(process.engine) as connection:
        waiting = list_waiting_deliveries(connection, PATIENCE, BATCH)
    swept = [
        f"{delivery} (run {execution.run_id})"
        for delivery, execution in waiting
        if submission.submit(execution, {SENSOR_NAME_TAG: INBOX, RUN_KEY_TAG: delivery})
    ]
    if not swept:
        return SkipReason(f"No delivery waits longer than {PATIENCE:g} s.")
    return SkipReason(f"Launched {len(swept)}: {', '.join(swept)}")
