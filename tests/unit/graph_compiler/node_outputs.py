"""What the documents of tests/graphs/valid that show node types answer, on the fake runtime."""

from __future__ import annotations

from typing import Any

GROUPS = [
    {"country": "de", "orders": 2, "revenue": 7, "mean": 3.5},
    {"country": "fr", "orders": 1, "revenue": 5, "mean": 5.0},
]
NODE_OUTPUTS: dict[str, Any] = {
    "aggregate_groups": {"groups": GROUPS, "total": {"orders": 3, "revenue": 12, "mean": 4.0}},
    "csv_totals": {"text": "day,price\r\nmon,5.5\r\ntue,2.5\r\n", "rows": 2},
    "file_round_trip": {"content": {"a": [1, 2]}, "files": ["files:copy.json", "files:out/run-1.json"]},
    "filter_split": {"large": [10, 12], "small": [3, 7]},
    "http_pages_and_auth": {"names": ["octo", "cat"]},
    "http_upload": {"status": 200},
    "log_passes_on": {"value": 1},
    "parquet_and_back": {"rows": [{"a": 1, "b": "x"}, {"a": 2, "b": None}], "size": 14},
    "query_reshape": {"names": "b-c"},
    "shell_sort": {"code": 0},
    "sql_select_and_insert": {"rows": []},
    "tell_the_world": {"mail": "<1@test>", "event": "1-0"},
    "template_letter": {"letter": "Dear Ann: [one][two]", "count": "2"},
}
