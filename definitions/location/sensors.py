"""Sensors in Dagster's UI. `inbox` launches deliveries whose turn has come and that nobody launches.

The daemon launches a run within milliseconds of its turn (docs/adr/0007, 0022); this is the second look that people
can see. It goes by the same queue and launches by the same way, so a run is launched once whoever comes first.
"""

from __future__ import annotations

import json

from dagster import DefaultSensorStatus, SensorEvaluationContext, SkipReason, sensor
from dagster._core.storage.tags import RUN_KEY_TAG, SENSOR_NAME_TAG

from definitions.daemon.run_queue import Turns
from definitions.daemon.submission import Submission
from definitions.execution.context import process_context
from platform_core.database.engine import reading
from platform_core.triggers.delivery_store import deliveries_of

INBOX = "inbox"
INTERVAL = 15
"""Seconds between two looks, and thus the least time the daemon has to launch a run whose turn has come."""


@sensor(
    name=INBOX,
    minimum_interval_seconds=INTERVAL,
    default_status=DefaultSensorStatus.RUNNING,
    description="Launches what webhooks delivered and nobody launches. A delivery's id is its run key.",
)
def inbox(context: SensorEvaluationContext) -> SkipReason:
    """Launch the deliveries whose turn it is, as it was at the look before; the tick's text says which.

    It asks Dagster for no run itself: one of Dagster's making would have another id than the delivery was answered.
    """
    process = process_context()
    run_ids, _ = Turns(process.settings, process.engine).next()
    with reading(process.engine) as connection:
        due = deliveries_of(connection, run_ids)
    seen = set(json.loads(context.cursor)) if context.cursor else set()
    submission = Submission(process.settings, process.engine, context.instance)
    swept = [
        f"{due[run_id]} (run {run_id})"
        for run_id in run_ids
        if run_id in due
        and run_id in seen
        and submission.start([run_id], {SENSOR_NAME_TAG: INBOX, RUN_KEY_TAG: due[run_id]})
    ]
    context.update_cursor(json.dumps(sorted(due)))
    if not swept:
        return SkipReason(f"No delivery whose turn has come waits longer than {INTERVAL} s.")
    return SkipReason(f"Launched {len(swept)}: {', '.join(swept)}")
