"""Benchmarks: Headrace as a user starts it, beside plain Dagster in the same run. Never part of the tests."""
