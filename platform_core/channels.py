"""Names of the PostgreSQL NOTIFY channels and what their payloads say."""

QUEUE = "headrace_queue"
"""The run queue has something to look at: a run was accepted, ended, or is to be canceled. Payload: the run id."""

GRAPHS = "headrace_graphs"
"""A graph was created, changed or deleted. Payload: the graph id."""

EVENTS = "headrace_events"
"""Events of a run were committed. Payload: `<run_id>:<last seq>`."""

TIMERS = "headrace_timers"
"""A timer is new, changed, switched or has a backfill. Payload: the trigger's row id, or the graph id."""
