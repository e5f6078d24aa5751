"""The HTTP interface for graphs, runs, triggers, webhooks, secrets, users and keys. It never loads Dagster."""
