"""References to files: canonical, and leading nowhere else."""

from __future__ import annotations

from typing import Any

import pytest

from graph_compiler.values.errors import NodeError
from graph_compiler.values.file_values import media_type_of, name_of, reference_of


@pytest.mark.parametrize(
    ("given", "reference", "name", "media_type"),
    [
        ("a/b.csv", "files:a/b.csv", "b.csv", "text/csv"),
        ("files:a.parquet", "files:a.parquet", "a.parquet", "application/vnd.apache.parquet"),
        ({"$file": "files:ü x"}, "files:ü x", "ü x", "application/octet-stream"),
        ("https://x/y/a.json?token=1", "https://x/y/a.json?token=1", "a.json", "application/json"),
        ("s3://bucket/a.txt", "s3://bucket/a.txt", "a.txt", "text/plain"),
    ],
)
def test_reference_is_canonical(given: Any, reference: str, name: str, media_type: str) -> None:
    assert (reference_of(given), name_of(reference), media_type_of(reference)) == (reference, name, media_type)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/./x",
        "a//b",
        "a/",
        "files:/etc/passwd",
        "files:../x",
        "a\\..\\x",
        "a\0b",
        "a\nb",
        "C:x",
        "file:///etc/passwd",
        "memory://x",
        "ftp://x/y",
        "x" * 201,
    ],
)
def test_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(NodeError) as raised:
        reference_of(path)
    assert (raised.value.kind, raised.value.retryable) == ("file_bad_path", False)
