"""The address that Dagster's runs name: runs that are stored hold `definitions.jobs.pinned_job`, so it never moves."""

from __future__ import annotations

from definitions.execution.graph_jobs import pinned_job

__all__ = ["pinned_job"]
