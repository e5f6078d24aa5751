"""Ids that are there twice."""

from __future__ import annotations

from collections.abc import Iterator

from graph_compiler.drafts.draft import Draft
from graph_compiler.language.issues import Issue


def duplicate_ids(draft: Draft) -> Iterator[Issue]:
    """Two nodes or triggers of one id, or two tests of one name; each but the first is named."""
    named = (("node", "id", draft.ids), ("trigger", "id", draft.trigger_ids), ("test", "name", draft.test_names))
    for kind, key, ids in named:
        first: dict[str, str] = {}
        for identifier, path in ids:
            if identifier in first:
                message = f"another {kind} has the {key} `{identifier}`: {first[identifier]}"
                yield Issue("duplicate_id", path, message)
            first.setdefault(identifier, path)
