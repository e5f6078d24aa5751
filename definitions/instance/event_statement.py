"""The one statement that commits a batch of a run's records: Dagster's log rows, our events, values and status.

Every writer of a run locks the run's row first, so the lock orders the writers: `seq` is gapless and equals commit
order. A batch carries a token; sent again after a lost connection it finds its token, even when others wrote in
between or the first one still waits for the lock, and changes nothing. `last_batch` holds the latest tokens. A batch
of a worker whose `generation` of the run has passed changes nothing either.

The journal of a run changes Dagster's run row here, too. Internals used for that: the columns of Dagster's table
`runs`, and that its `run_body` ends with the keys `status`, `step_keys_to_execute` and `tags`.

Arrays are sent in binary: psycopg escapes the text of each element of another by a regular expression.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from definitions.instance.run_events import NewEvent, StatusChange, storable
from graph_compiler.values.binary import compact
from platform_core import channels
from platform_core.database.hot_statement import hot_statement
from platform_core.facts.run_status import RunStatus


@dataclass(frozen=True, slots=True)
class NewValue:
    """A node's output value: `step` is Dagster's step key, `text` its JSON, or None if that is at `location`."""

    step: str
    port: str
    text: str | None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to commit; any part may be missing. `log` is a row of Dagster's event_logs.

    `note` is JSON that the journal keeps with the event.
    """

    log: Mapping[str, Any] | None = None
    event: NewEvent | None = None
    value: NewValue | None = None
    outputs: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class RunChange:
    """A change of both run rows: `started` is when the run began, if this says so; the reason is Dagster's."""

    status: StatusChange
    started: float | None = None
    failure_reason: str | None = None


_CHANGES = f"""
WITH locked AS MATERIALIZED (
    SELECT last_batch FROM headrace.runs WHERE run_id = %(run)s FOR UPDATE
), sent AS MATERIALIZED (
    SELECT coalesce((SELECT position(%(batch)s in last_batch) > 0 FROM locked), false) AS before
), run AS (
    UPDATE headrace.runs SET
        last_seq = last_seq + %(count)s,
        last_batch = left(%(batch)s || ' ' || coalesce(last_batch, ''), 264),
        status = CASE
            WHEN status = '{RunStatus.CANCELING}' AND NOT %(is_end)s THEN status ELSE coalesce(%(status)s, status)
        END,
        wake_at = CASE
            WHEN status = '{RunStatus.CANCELING}' AND NOT %(is_end)s THEN NULL
            WHEN %(status)s IS NULL THEN wake_at ELSE to_timestamp(%(wake_at)s::float8)
        END,
        submitted_at = coalesce(submitted_at, CASE WHEN %(status)s IS NOT NULL THEN clock_timestamp() END),
        started_at = coalesce(to_timestamp(%(started)s::float8), started_at),
        ended_at = CASE WHEN %(is_end)s THEN to_timestamp(%(now)s) ELSE ended_at END,
        error = coalesce(%(error)s, error),
        outputs = CASE
            WHEN %(is_end)s AND %(status)s <> '{RunStatus.SUCCESS}' THEN NULL ELSE coalesce(%(outputs)s, outputs)
        END
    FROM sent
    WHERE run_id = %(run)s AND ended_at IS NULL AND NOT sent.before
      AND (%(generation)s::int IS NULL OR generation = %(generation)s::int)
    RETURNING status, last_seq, last_seq - %(count)s AS base
), events AS (
    INSERT INTO headrace.run_events (run_id, seq, ts, type, node, item, level, message, data, note)
    SELECT %(run)s, run.base + e.position, to_timestamp(e.ts), e.type, e.node, e.item, e.level, e.message, e.data,
           e.note
    FROM run, unnest(%(ts)b::float8[], %(type)b::text[], %(node)b::text[], %(item)b::int[], %(level)b::text[],
                     %(message)b::text[], %(data)b::text[], %(note)b::text[])
         WITH ORDINALITY AS e (ts, type, node, item, level, message, data, note, position)
), vals AS (
    INSERT INTO headrace.run_values (run_id, step, port, value, location)
    SELECT %(run)s, v.step, v.port, v.value, v.location
    FROM run, unnest(%(value_step)b::text[], %(value_port)b::text[], %(value)b::text[], %(value_location)b::text[])
         AS v (step, port, value, location)
    ON CONFLICT (run_id, step, port) DO UPDATE SET value = excluded.value, location = excluded.location
), logs AS (
    INSERT INTO event_logs (run_id, event, dagster_event_type, "timestamp", step_key, asset_key, partition)
    SELECT %(run)s, l.event, l.type, l.ts, l.step, l.asset, l.partition
    FROM sent, unnest(%(log_event)b::text[], %(log_type)b::text[], %(log_ts)b::timestamp[], %(log_step)b::text[],
                      %(log_asset)b::text[], %(log_partition)b::text[])
         WITH ORDINALITY AS l (event, type, ts, step, asset, partition, position)
    WHERE NOT sent.before AND (%(generation)s::int IS NULL OR EXISTS (SELECT FROM run))
    ORDER BY l.position
)
"""  # noqa: S608 - only constants of ours are put in
_ANSWER = """
SELECT NOT EXISTS (SELECT FROM locked) AS is_foreign,
       (SELECT status FROM run) AS status,
       (SELECT before FROM sent) AS was_sent,
       (SELECT pg_notify(%(events_channel)s, %(run)s || ':' || last_seq) FROM run WHERE %(count)s > 0),
       (SELECT pg_notify(%(queue_channel)s, %(run)s) FROM run WHERE %(is_end)s OR %(wake_at)s IS NOT NULL)
"""
# `FROM run`: after our row's lock. The status is the last thing of its form in the body: only texts follow.
_DAGSTERS_RUN = r"""
, theirs AS (
    UPDATE public.runs AS d SET
        status = s.name,
        run_body = regexp_replace(
            CASE WHEN %(reason)s::text IS NULL THEN d.run_body
                 ELSE regexp_replace(d.run_body, '^(.*"tags": \{)',
                                     '\1"dagster/failure_reason": "' || %(reason)s::text || '", ')
            END, '^(.*"status": \{"__enum__": "PipelineRunStatus\.)[A-Z_]+', '\1' || s.name),
        start_time = coalesce(%(started)s::float8, d.start_time),
        end_time = CASE WHEN %(is_end)s THEN %(now)s::float8 ELSE d.end_time END,
        update_timestamp = to_timestamp(%(now)s::float8) AT TIME ZONE 'UTC'
    FROM (SELECT CASE status WHEN 'RUNNING' THEN 'STARTED' WHEN 'WAITING' THEN 'SUSPENDED' ELSE status END AS name
          FROM run) AS s
    WHERE d.run_id = %(run)s
), reasons AS (
    INSERT INTO public.run_tags (run_id, key, value)
    SELECT %(run)s, 'dagster/failure_reason', %(reason)s::text FROM run WHERE %(reason)s::text IS NOT NULL
)
"""
_PLAIN = hot_statement(_CHANGES + _ANSWER)
_WITH_DAGSTERS_RUN = hot_statement(_CHANGES + _DAGSTERS_RUN + _ANSWER)


def build(
    run_id: str, batch: str, records: Sequence[Record], change: StatusChange | None, now: float
) -> tuple[str, dict[str, Any]]:
    """Statement and parameters that commit the records of one run in order, in one round trip.

    It answers one row: whether the run is none of ours, the status it has now, null if the batch changed nothing, and
    whether it was sent before. `batch` is the token that makes sending it twice harmless; `now` is in seconds since
    the epoch.
    """
    return _PLAIN, _parameters(run_id, batch, records, change, now)


def build_journaled(
    run_id: str,
    batch: str,
    records: Sequence[Record],
    change: RunChange | None,
    now: float,
    *,
    generation: int,
) -> tuple[str, dict[str, Any]]:
    """As `build`, of the worker that has this generation of the run; a change is also one of Dagster's run row."""
    parameters = _parameters(run_id, batch, records, None if change is None else change.status, now)
    parameters["generation"] = generation
    if change is None:
        return _PLAIN, parameters
    parameters["started"], parameters["reason"] = change.started, change.failure_reason
    return _WITH_DAGSTERS_RUN, parameters


def _parameters(
    run_id: str, batch: str, records: Sequence[Record], change: StatusChange | None, now: float
) -> dict[str, Any]:
    shown = [record for record in records if record.event is not None]
    events = [record.event for record in shown if record.event is not None]
    values = {(record.value.step, record.value.port): record.value for record in records if record.value is not None}
    logs = [record.log for record in records if record.log is not None]
    outputs = [record.outputs for record in records if record.outputs is not None]
    error = change.error if change is not None else None
    return {
        "run": run_id,
        "events_channel": channels.EVENTS,
        "queue_channel": channels.QUEUE,
        "batch": batch,
        "count": len(events),
        "now": now,
        "status": change.status if change is not None else None,
        "started": now if change is not None and change.is_start else None,
        "generation": None,
        "is_end": change is not None and change.is_end,
        "wake_at": change.wake_at if change is not None else None,
        "error": None if error is None else compact(error),
        "outputs": outputs[-1] if outputs else None,
        "ts": [event.ts for event in events],
        "type": [event.type for event in events],
        "node": [event.node for event in events],
        "item": [event.item for event in events],
        "level": [event.level for event in events],
        "message": [storable(event.message) for event in events],
        "data": [compact(event.data) if event.data else "{}" for event in events],
        "note": [record.note for record in shown],
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
