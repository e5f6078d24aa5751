"""Dagster's instance on our tables: storages, the event statement, and the files that name them."""
