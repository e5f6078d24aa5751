"""Names under which Dagster knows our code location, and the tags every run carries."""

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
