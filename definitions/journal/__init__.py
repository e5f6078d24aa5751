"""A run's journal in PostgreSQL: what the engine tells, as our events and values and as Dagster's log."""
