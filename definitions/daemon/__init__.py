"""The process around Dagster's daemons: the run queue, timers, retention, and supervision in a cluster."""
