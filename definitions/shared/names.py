"""Names under which Dagster knows our code location, and the tags every run carries."""

from __future__ import annotations

from graph_compiler.running.naming import job_name

LOCATION = "headrace"
REPOSITORY = "headrace"

GRAPH_TAG = "headrace/graph"
GRAPH_ID_TAG = "headrace/graph_id"
VERSION_TAG = "headrace/version"
OWNER_TAG = "headrace/owner"
TRIGGER_TAG = "headrace/trigger"
TRIGGER_KIND_TAG = "headrace/trigger_kind"


def limit_tag(limit: int) -> str:
    """Tag of the runs of which at most `limit` with the same value, a graph's id, are executed at once."""
    return f"headrace/at_most_{limit}"


def schedule_name(owner: str, graph: str, trigger_id: str) -> str:
    """Dagster's name of a graph's timer; never that of another, because ours have no capitals."""
    return f"{job_name(owner, graph)}__ON__{trigger_id.replace('-', 'H')}"
