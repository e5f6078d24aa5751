"""A Dagster run as a template: runs of one graph version differ in id, tags and times alone.

Making a run of Dagster's plans the graph anew and serializes it, which is nearly all of what submitting costs; here
both are done once for a version. Internals used: the serialized form of DagsterRun and EventLogEntry, in which only
whole values are replaced, and `tags_for_storage`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster import DagsterEvent, DagsterEventType, DagsterRun, DagsterRunStatus
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.tags import BACKFILL_ID_TAG, CODE_LOCATION_TAG, PARTITION_NAME_TAG, PARTITION_SET_TAG
from dagster._serdes import serialize_value

from definitions.shared.names import LOCATION

_IN_COLUMNS = {PARTITION_NAME_TAG, PARTITION_SET_TAG, BACKFILL_ID_TAG}
_STARTING = DagsterEventType.PIPELINE_STARTING.value


@dataclass(frozen=True, slots=True)
class StartedRun:
    """What Dagster stores of a run that starts: `body` of its row, `event` of its log, `tags` to find it by."""

    run_id: str
    job: str
    snapshot: str
    plan: str
    body: str
    event: str
    tags: Mapping[str, str]


class RunTemplate:
    """Made from one run of a graph version and the tags of its job; makes the others."""

    def __init__(self, example: DagsterRun, job_tags: Mapping[str, str]) -> None:
        self.example = example
        self._job_tags = dict(job_tags)
        self._found_by = {key: value for key, value in example.tags_for_storage().items() if key not in example.tags}
        self._body: dict[str, Any] = json.loads(serialize_value(example.with_status(DagsterRunStatus.STARTING)))
        self._event: dict[str, Any] = json.loads(serialize_value(starting_entry(example, 0.0)))

    @property
    def is_whole(self) -> bool:
        """Whether Dagster keeps the snapshots by which it shows such a run."""
        return self.example.job_snapshot_id is not None and self.example.execution_plan_snapshot_id is not None

    def start(self, run_id: str, own_tags: Mapping[str, str], now: float) -> StartedRun:
        """The run `run_id` that starts `now`, in seconds since the epoch."""
        tags = self.tags(own_tags)
        return StartedRun(
            run_id=run_id,
            job=self.example.job_name,
            snapshot=self.example.job_snapshot_id or "",
            plan=self.example.execution_plan_snapshot_id or "",
            body=_text({**self._body, "run_id": run_id, "tags": tags}),
            event=_text({**self._event, "run_id": run_id, "timestamp": now}),
            tags={**self._found_by, **tags},
        )

    def run(self, run_id: str, own_tags: Mapping[str, str]) -> DagsterRun:
        """The same as an object, for launchers that take one."""
        return self.example._replace(run_id=run_id, tags=self.tags(own_tags), status=DagsterRunStatus.STARTING)

    def tags(self, own_tags: Mapping[str, str]) -> dict[str, str]:
        """All tags of a run that has these of its own; its job's hold before them."""
        return {**own_tags, **self._job_tags, CODE_LOCATION_TAG: LOCATION}


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)  # as Dagster writes it


def fits_a_template(own_tags: Mapping[str, str]) -> bool:
    """Whether a run's tags are nothing but tags to Dagster: some are columns, too, and some mean a serialized class."""
    return not any(key in _IN_COLUMNS or key.startswith("__") for key in own_tags)


def starting_event(run: DagsterRun) -> DagsterEvent:
    """The event by which a run starts."""
    return DagsterEvent(_STARTING, run.job_name)


def starting_entry(run: DagsterRun, now: float) -> EventLogEntry:
    """The entry of the log that Dagster makes of `starting_event`."""
    event = starting_event(run)
    return EventLogEntry(None, logging.INFO, "", run.run_id, now, None, run.job_name, event)  # type: ignore[no-untyped-call]  # theirs
