"""What a document holds beside what runs execute, `tests` and `layout`: stored with a version, outside its hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from graph_compiler.values.canonical import canonical_json

ANNOTATIONS = ("tests", "layout")


def executed(data: Mapping[str, Any]) -> dict[str, Any]:
    """The document without its annotations: what runs execute, and what names a version."""
    return {key: value for key, value in data.items() if key not in ANNOTATIONS}


def annotations_of(data: Mapping[str, Any]) -> str | None:
    """The annotations of a document as canonical JSON; None if it has none."""
    found = {key: data[key] for key in ANNOTATIONS if key in data}
    return canonical_json(found) if found else None


def whole(document: str, annotations: str | None) -> dict[str, Any]:
    """A stored document with its annotations, as it was saved."""
    data: dict[str, Any] = json.loads(document)
    return data if annotations is None else dict(sorted({**data, **json.loads(annotations)}.items()))
