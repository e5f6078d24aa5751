"""Dagster's UI at `/dagster`, for administrators who are signed in."""
