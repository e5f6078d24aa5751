"""The statement by which runs that have waited without a worker go on: each once, however often it is asked for.

From here on a run counts as running, for us and for Dagster, so that its monitor finds one whose worker never came.
Internals used: the columns of Dagster's table `runs`, and the place of the status in its `run_body`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platform_core.facts.run_status import RunStatus

_WAKE = rf"""
WITH woken AS (
    UPDATE headrace.runs SET status = '{RunStatus.RUNNING}', wake_at = NULL, wakes = wakes + 1
    WHERE run_id = ANY(%(runs)s::text[]) AND status = '{RunStatus.WAITING}' AND ended_at IS NULL
    RETURNING run_id
)
UPDATE public.runs AS d SET
    status = 'STARTED',
    run_body = regexp_replace(
        d.run_body, '^(.*"status": \{{"__enum__": "PipelineRunStatus\.)[A-Z_]+', '\1STARTED'
    ),
    update_timestamp = to_timestamp(%(now)s::float8) AT TIME ZONE 'UTC'
FROM woken WHERE d.run_id = woken.run_id
RETURNING d.run_id
"""  # noqa: S608 - only constants of ours are put in


def wake(run_ids: Sequence[str], now: float) -> tuple[str, dict[str, Any]]:
    """Statement and parameters; it answers the ids of those that waited. `now` is in seconds since the epoch."""
    return _WAKE, {"runs": list(run_ids), "now": now}
