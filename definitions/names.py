"""Names under which Dagster knows our code location, and the tags every run carries."""

LOCATION = "headrace"
REPOSITORY = "headrace"

GRAPH_TAG = "headrace/graph"
GRAPH_ID_TAG = "headrace/graph_id"
VERSION_TAG = "headrace/version"
OWNER_TAG = "headrace/owner"
TRIGGER_TAG = "headrace/trigger"
TRIGGER_KIND_TAG = "headrace/trigger_kind"
