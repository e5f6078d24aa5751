"""The one statement that commits a batch of a run's records: Dagster's log rows, our events, values and status.

Every writer of a run locks the run's row first, so the lock orders the writers: `seq` is gapless and equals commit
order. A batch carries a token; sent again after a lost connection it finds its token, even when others wrote in
between or the first one still waits for the lock, and changes nothing. `last_batch` holds the latest tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from definitions.instance.run_events import NewEvent, StatusChange, storable
from graph_compiler.values.binary import dumps
from platform_core import channels


@dataclass(frozen=True, slots=True)
class NewValue:
    """A node's output value: `step` is Dagster's step key, `text` its JSON, or None if that is at `location`."""

    step: str
    port: str
    text: str | None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to commit; any part may be missing. `log` is a row of Dagster's event_logs."""

    log: Mapping[str, Any] | None = None
    event: NewEvent | None = None
    value: NewValue | None = None
    outputs: str | None = None


_STATEMENT = """
WITH locked AS MATERIALIZED (
    SELECT last_batch FROM headrace.runs WHERE run_id = %(run)s FOR UPDATE
), sent AS MATERIALIZED (
    SELECT coalesce((SELECT position(%(batch)s in last_batch) > 0 FROM locked), false) AS before
), run AS (
    UPDATE headrace.runs SET
        last_seq = last_seq + %(count)s,
        last_batch = left(%(batch)s || ' ' || coalesce(last_batch, ''), 264),
        status = CASE WHEN status = 'CANCELING' AND NOT %(is_end)s THEN status ELSE coalesce(%(status)s, status) END,
        submitted_at = coalesce(submitted_at, CASE WHEN %(status)s IS NOT NULL THEN clock_timestamp() END),
        started_at = CASE WHEN %(is_start)s THEN to_timestamp(%(now)s) ELSE started_at END,
        ended_at = CASE WHEN %(is_end)s THEN to_timestamp(%(now)s) ELSE ended_at END,
        error = coalesce(%(error)s, error),
        outputs = CASE WHEN %(is_end)s AND %(status)s <> 'SUCCESS' THEN NULL ELSE coalesce(%(outputs)s, outputs) END
    FROM sent
    WHERE run_id = %(run)s AND ended_at IS NULL AND NOT sent.before
    RETURNING status, last_seq, last_seq - %(count)s AS base
), events AS (
    INSERT INTO headrace.run_events (run_id, seq, ts, type, node, item, level, message, data)
    SELECT %(run)s, run.base + e.position, to_timestamp(e.ts), e.type, e.node, e.item, e.level, e.message, e.data
    FROM run, unnest(%(ts)s::float8[], %(type)s::text[], %(node)s::text[], %(item)s::int[], %(level)s::text[],
                     %(message)s::text[], %(data)s::text[])
         WITH ORDINALITY AS e (ts, type, node, item, level, message, data, position)
), vals AS (
    INSERT INTO headrace.run_values (run_id, step, port, value, location)
    SELECT %(run)s, v.step, v.port, v.value, v.location
    FROM run, unnest(%(value_step)s::text[], %(value_port)s::text[], %(value)s::text[], %(value_location)s::text[])
         AS v (step, port, value, location)
    ON CONFLICT (run_id, step, port) DO UPDATE SET value = excluded.value, location = excluded.location
), logs AS (
    INSERT INTO event_logs (run_id, event, dagster_event_type, "timestamp", step_key, asset_key, partition)
    SELECT %(run)s, l.event, l.type, l.ts, l.step, l.asset, l.partition
    FROM sent, unnest(%(log_event)s::text[], %(log_type)s::text[], %(log_ts)s::timestamp[], %(log_step)s::text[],
                      %(log_asset)s::text[], %(log_partition)s::text[])
         WITH ORDINALITY AS l (event, type, ts, step, asset, partition, position)
    WHERE NOT sent.before
    ORDER BY l.position
)
SELECT NOT EXISTS (SELECT FROM locked) AS is_foreign,
       (SELECT status FROM run) AS status,
       (SELECT pg_notify(%(events_channel)s, %(run)s || ':' || last_seq) FROM run WHERE %(count)s > 0),
       (SELECT pg_notify(%(queue_channel)s, %(run)s) FROM run WHERE %(is_end)s)
"""


def build(
    run_id: str, batch: str, records: Sequence[Record], change: StatusChange | None, now: float
) -> tuple[str, dict[str, Any]]:
    """Statement and parameters that commit the records of one run in order, in one round trip.

    It answers one row: whether the run is none of ours, and the status it has now, null if the batch changed nothing.
    `batch` is the token that makes sending it twice harmless; `now` is in seconds since the epoch.
    """
    events = [record.event for record in records if record.event is not None]
    values = {(record.value.step, record.value.port): record.value for record in records if record.value is not None}
    logs = [record.log for record in records if record.log is not None]
    outputs = [record.outputs for record in records if record.outputs is not None]
    error = change.error if change is not None else None
    return _STATEMENT, {
        "run": run_id,
        "events_channel": channels.EVENTS,
        "queue_channel": channels.QUEUE,
        "batch": batch,
        "count": len(events),
        "now": now,
        "status": change.status if change is not None else None,
        "is_start": change is not None and change.is_start,
        "is_end": change is not None and change.is_end,
        "error": None if error is None else _json(error),
        "outputs": outputs[-1] if outputs else None,
        "ts": [event.ts for event in events],
        "type": [event.type for event in events],
        "node": [event.node for event in events],
        "item": [event.item for event in events],
        "level": [event.level for event in events],
        "message": [storable(event.message) for event in events],
        "data": [_json(event.data) for event in events],
        "value_step": [value.step for value in values.values()],
        "value_port": [value.port for value in values.values()],
        "value_location": [value.location for value in values.values()],
        "value": [value.text for value in values.values()],
        "log_event": [log["event"] for log in logs],
        "log_type": [log["dagster_event_type"] for log in logs],
        "log_ts": [log["timestamp"] for log in logs],
        "log_step": [log["step_key"] for log in logs],
        "log_asset": [log["asset_key"] for log in logs],
        "log_partition": [log["partition"] for log in logs],
    }


def _json(value: Mapping[str, Any]) -> str:
    return dumps(value, separators=(",", ":"))
